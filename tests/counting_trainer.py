"""A trainer that learns to count: as much as the tests of training need."""

from __future__ import annotations

from dataclasses import dataclass

from llmopt_bench import Trained, TrainJob, train_settings


@dataclass(frozen=True)
class Config:
    steps: int = 3
    rate: float = 0.5
    name: str = "plain"
    quick: bool = False
    path: str | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.steps}")


def count_up(job: TrainJob) -> Trained:
    """Count the calls in a file: as much state as a training needs for these tests."""
    config = train_settings(job, Config)
    state = job.out / "count"
    done = int(state.read_text()) if job.resume else 0
    job.report(0.25, "counting")
    state.write_text(str(done + config.steps))
    return Trained(job.out / "model", {"overall_improvement": 0.0125, "count": done + config.steps})


not_callable = 5
