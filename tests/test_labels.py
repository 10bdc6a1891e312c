"""Labels: the best list of each program, in a small file that says the same when read."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import made_record

from llmopt_bench import make_action_set
from llmopt_bench.cli import main
from llmopt_bench.errors import BadRecord
from llmopt_bench.labels import Label, LabelSummary, labels_of, read_labels, write_labels

pytest.importorskip("pyarrow")

FAILED = {"status": "failed", "new": None, "module_sha256": None, "error": "no", "pass_list": ""}


def label(uri: str, passes: str = "sroa,gvn") -> Label:
    return Label(uri, "1" * 64, passes, passes.count(",") + 1, 10, 8, 7, 4)


def test_best_record_of_each_program_is_its_label() -> None:
    records = [
        made_record("p/2", "Oz", new=8, seed=1, additional_compilations=1),
        made_record("p/2", "sroa,gvn", new=6, seed=2, additional_compilations=2),
        made_record("p/2", "adce", new=7, seed=3, additional_compilations=3),
        made_record("p/2", "", seed=4, **{k: v for k, v in FAILED.items() if k != "pass_list"}),
        made_record("p/1", "sroa,gvn,dse", new=9, agent="b"),
        made_record("p/1", "sroa,dse", new=9, agent="c"),
        made_record("p/1", "sroa,adce", new=9, agent="d"),
    ]
    assert labels_of(records) == [
        Label("p/1", "1" * 64, "sroa,adce", 2, 10, 8, 9, 12),
        Label("p/2", "1" * 64, "sroa,gvn", 2, 10, 8, 6, 10),
    ]


def test_program_without_an_answer_has_no_label() -> None:
    failed = {name: value for name, value in FAILED.items() if name != "pass_list"}
    assert labels_of([made_record("p/1", "", **failed)]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("oz", 9),
        ("initial", 11),
        ("program_sha256", "4" * 64),
        ("metric", "text_size"),
        ("action_set_sha256", "5" * 64),
        ("llvm_version", "23"),
    ],
)
def test_records_that_do_not_belong_together_are_refused(name: str, value: object) -> None:
    records = [made_record("p/1", "sroa"), made_record("p/1", "gvn", seed=1, **{name: value})]
    with pytest.raises(BadRecord, match=f"{name}: expected the same"):
        labels_of(records)


def test_what_is_written_is_read_sorted_and_the_same_bytes(tmp_path: Path) -> None:
    labels = [label(f"p/{number}") for number in range(10_000)]
    write_labels(tmp_path / "one.parquet", labels)
    random.Random(0).shuffle(labels)
    write_labels(tmp_path / "two.parquet", labels)
    assert list(read_labels(tmp_path / "one.parquet")) == sorted(labels)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_no_label_is_fine(tmp_path: Path) -> None:
    write_labels(tmp_path / "none.parquet", [])
    assert list(read_labels(tmp_path / "none.parquet")) == []


def test_thirty_thousand_labels_are_far_below_ten_megabytes(tmp_path: Path) -> None:
    rng = random.Random(1)
    names = make_action_set("passes-v1").names
    common = [",".join(["Oz", *rng.choices(names, k=rng.randint(1, 12))]) for _ in range(3000)]
    labels = []
    for number in range(30_000):
        own = ",".join(rng.choices(names, k=rng.randint(3, 25)))
        text = rng.choice(common) if rng.random() < 0.6 else own
        uri = f"corpus-v1/package{number // 300}/src/file{number // 20}.c/function_{number}"
        digest = hashlib.sha256(uri.encode()).hexdigest()
        initial = rng.randint(20, 3000)
        sizes = (initial, initial // 2, initial // 2 - rng.randint(0, 9), rng.randint(100, 300))
        labels.append(Label(uri, digest, text, text.count(",") + 1, *sizes))
    file = tmp_path / "labels.parquet"
    write_labels(file, labels)
    assert file.stat().st_size < 4_000_000
    assert sum(1 for _ in read_labels(file)) == len(labels)


def test_a_program_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="every URI once, in order, got 'p/1' after 'p/1'"):
        write_labels(tmp_path / "x.parquet", [label("p/1"), label("p/1", "dse")])


def test_files_that_are_no_labels_are_refused(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    file = tmp_path / "labels.parquet"
    with pytest.raises(BadRecord, match="expected a complete file of labels"):
        list(read_labels(file))
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(BadRecord, match="expected a complete file of labels"):
        list(read_labels(file))
    pyarrow.parquet.write_table(pyarrow.table({"uri": ["p/1"]}), file)
    with pytest.raises(BadRecord, match="got uri"):
        list(read_labels(file))
    write_labels(file, [label("p/1"), label("p/2")])
    table = pyarrow.parquet.read_table(file)
    pyarrow.parquet.write_table(table.take([1, 0]), file, store_schema=False)
    with pytest.raises(BadRecord, match="got 'p/1' after 'p/2'"):
        list(read_labels(file))


def test_labels_check_themselves() -> None:
    with pytest.raises(BadRecord, match="counts of 0 or more"):
        replace(label("p/1"), best=-1)
    with pytest.raises(BadRecord, match="a URI and a SHA-256"):
        replace(label("p/1"), program_sha256="1")


def test_summary_counts_lists_with_a_pass_and_the_overall_gain() -> None:
    summary = LabelSummary()
    assert summary.gain is None
    summary.add(label("p/1", "sroa,gvn,sroa"))
    summary.add(replace(label("p/2", "sroa"), oz=8, best=8))
    assert summary.gain == pytest.approx(16 / 15 - 1)
    assert (summary.programs, summary.improved) == (2, 1)
    assert summary.passes == {"sroa<modify-cfg>": 2, "gvn": 1}


def test_command_writes_labels_and_says_what_they_are_worth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [made_record("p/1", "sroa,gvn"), made_record("p/2", "sroa", new=8)]
    file = tmp_path / "records.jsonl"
    file.write_text("".join(record.to_json() + "\n" for record in records), "utf-8")
    out = tmp_path / "sub" / "labels.parquet"
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            main(["labels", str(file), "--out", str(out), *more])
        assert ended.value.code == 0
    said, document = capsys.readouterr().out.splitlines()
    assert said == (
        "2 programs, +6.67 % over -Oz, 1 improved; most frequent: sroa<modify-cfg> (2), gvn (1)"
    )
    assert json.loads(document)["passes"] == {"sroa<modify-cfg>": 2, "gvn": 1}
    assert [one.uri for one in read_labels(out)] == ["p/1", "p/2"]
