"""What the tests of training a language model share: small functions, their labels, and jobs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llmopt_bench import Label, PassList, Session, TrainJob
from llmopt_bench.labels import write_labels

URIS = sorted(
    f"bundled-functions-v1/{name}"
    for name in (
        "arena_pool/arena_rewind",
        "arith_coder/certainty",
        "astar_grid/chebyshev",
        "bignum_rsa/bn_mod",
        "bignum_rsa/next_random",
        "btree_store/is_leaf",
        "btree_store/set_count",
        "color_quant/by_green",
        "delta_varint/signed_less",
        "fixed_point_math/fx_sub",
    )
)
LISTS = ("Oz", "sroa<modify-cfg>,instcombine<no-verify-fixpoint>,simplifycfg", "")
TINY: dict[str, Any] = {
    "threads": 1,
    "holdout": 2,
    "validation": "bundled-functions-v1",
    "validation_functions": 4,
    "vocabulary": 640,
    "size": "tiny",
    "context": 512,
    "ir_task": 0.5,
    "batch_tokens": 1024,
    "micro_tokens": 1024,
    "steps": 4,
    "log_every": 1,
    "validate_every": 2,
    "checkpoint_minutes": 0.0,
    "dtype": "float32",
}


def module(name: str) -> Any:
    """Return a module of the trainer."""
    return importlib.import_module(f"llmopt_bench.agents.llm.train.{name}")


def true_label(uri: str, pass_list: str) -> Label:
    """Return the label of a function, as the compiler says."""
    session = Session(uri)
    passes = PassList.parse(pass_list)
    best = session.evaluate([passes])[0]
    numbers = len(passes), session.initial(), session.reference(), best, 1
    return Label(uri, session.program.sha256, pass_list, *numbers)


def label_file(folder: Path) -> str:
    """Write labels of the small functions and return the path."""
    path = folder / "labels.parquet"
    write_labels(path, [true_label(uri, LISTS[n % 3]) for n, uri in enumerate(URIS)])
    return str(path)


def job_of(
    labels: str,
    out: Path,
    report: Callable[[float, str], None] = lambda done, text: None,
    **changes: Any,
) -> TrainJob:
    """Return a small training; ``changes`` are settings, or ``seed``, ``resume``..."""
    given = {"max_minutes": None, "seed": 3, "resume": False}
    given |= {name: changes.pop(name) for name in list(given) if name in changes}
    out.mkdir(exist_ok=True, parents=True)
    settings = TINY | changes
    return TrainJob(agent="llm", data=(labels,), out=out, settings=settings, report=report, **given)
