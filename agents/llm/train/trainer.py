"""`llmopt-bench train llm`: from labels to a language model, in stages.

1. **data**: functions with their best lists, as texts; needs the compiler.
2. **tokenizer**: byte-level BPE on these texts, with a token for each action.
3. **tokens**: the texts as numbers, in files that the next stage maps into memory.
4. **train**: a model of the Llama architecture; needs PyTorch and transformers, no compiler.
5. **eval**: the model answers functions that nothing was learnt from; needs the compiler.

Each can run by itself (``--set stage=data``), all in one folder or each in its own
(``--set inputs=FOLDER``), and on different machines. The result of each is a folder, and is not
made again when the training is resumed.
"""

from __future__ import annotations

from collections.abc import Mapping

from llmopt_bench import BadTraining, Trained, TrainJob, train_settings

from .config import STAGES, LlmConfig
from .stages import Stages, read_about


def train(job: TrainJob) -> Trained:
    """Run one stage of the training of a language model, or all.

    Raises:
        BadTraining: The settings, the labels or the results of earlier stages are not good for it.
        BadRecord: The labels cannot be read.
        MissingTool: pyarrow, for the labels, is not installed.
    """
    config = train_settings(job, LlmConfig)
    stages = Stages(job, config)
    if config.stage == "all":
        for stage in STAGES:
            if stages.to_do(stage):
                _run(stage, stages)
    else:
        _run_alone(config.stage, stages)
    shown = "train" if config.stage in ("all", "eval") else config.stage
    return Trained(stages.results(shown), _scores(stages))


def _run_alone(stage: str, stages: Stages) -> None:
    """Run one stage, whose results are not there."""
    own = stages.folder(stage)
    if stages.finished(stage) == own and not stages.to_do(stage):
        raise BadTraining(
            f"stage {stage}: {own} has its results. Remove that folder to make them again, or use "
            "another --out."
        )
    _run(stage, stages)


def _run(stage: str, stages: Stages) -> None:
    """Run a stage; each imports only what it needs."""
    own = stages.folder(stage)
    if not stages.job.resume and own.exists() and any(own.iterdir()):
        raise BadTraining(
            f"stage {stage}: expected no {own}, got one that is not finished. Remove it, or use "
            "another --out."
        )
    own.mkdir(parents=True, exist_ok=True)
    try:
        match stage:
            case "data":
                from .data import make_data as run
            case "tokenizer":
                from .tokenizer import make_tokenizer as run
            case "tokens":
                from .tokens import make_tokens as run
            case "train":
                from .learn import make_model as run
            case _:
                from .evaluate import evaluate as run
    except ImportError as error:
        raise BadTraining(
            f"stage {stage}: {error}. Install what it needs: pip install 'llmopt-bench[llm]'."
        ) from error
    try:
        run(stages)
    except BadTraining:
        if not any(own.iterdir()):
            own.rmdir()
        raise


def _scores(stages: Stages) -> Mapping[str, float]:
    found = stages.finished("eval")
    return read_about(found)["scores"] if found else {}
