"""Trains a model: the loop, the learning rate, and when to stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from llmopt_bench import BadTraining

from .batches import Batch, Examples, epoch_of
from .checkpoint import Plan, Progress, save_checkpoint
from .config import LlmConfig
from .journal import Journal
from .network import (
    choice_losses,
    choose,
    flops_of,
    hidden_states,
    token_losses,
    with_regressions,
)
from .throughput import Meter, autocast, matmul_peak

CHECKPOINT = "checkpoint.pt"
LIST_LOSS = "validation_list_loss"


def make_optimizer(model: LlamaForCausalLM, config: LlmConfig) -> torch.optim.AdamW:
    """Return AdamW as arXiv 2309.07062 has it; only matrices decay."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, config.rate, betas=(0.9, 0.95), fused=True)


def rate_at(done: float, config: LlmConfig) -> float:
    """Return the learning rate when a share of the training is done: warm-up, then a cosine."""
    if done < config.warmup:
        return config.rate * done / config.warmup
    along = min((done - config.warmup) / max(1 - config.warmup, 1e-9), 1.0)
    low = config.final_rate
    return config.rate * (low + (1 - low) * (1 + math.cos(math.pi * along)) / 2)


@dataclass
class Fit:
    """A training at work."""

    model: LlamaForCausalLM
    optimizer: torch.optim.AdamW
    config: LlmConfig
    seed: int
    plan: Plan
    progress: Progress
    first: Sequence[int]
    """The tokens with which the lists of the portfolio begin, if there is one."""
    reference: int | None
    """The number of the list that is -Oz, if the portfolio has it."""
    folder: Path
    """For the checkpoint and the log."""
    deadline: float
    """When to end, whatever the plan is (``time.monotonic``)."""
    device: torch.device = field(init=False)
    dtype: torch.dtype = field(init=False)
    began: float = field(init=False)
    """When it would have begun, had it never been interrupted (``time.monotonic``)."""
    saved: float = field(init=False)
    """Seconds of the last checkpoint, as ``progress`` counts them."""

    def __post_init__(self) -> None:
        """Find out where the model is, and start the clock."""
        self.device = next(self.model.parameters()).device
        self.dtype = getattr(torch, self.plan.dtype)
        self.began = time.monotonic() - self.progress.seconds
        self.saved = self.progress.seconds

    @property
    def done(self) -> float:
        """Which share of the training is done."""
        if self.config.steps is not None:
            return self.progress.step / self.config.steps
        return self.progress.seconds / self.plan.seconds

    def run(
        self,
        train: Examples,
        unseen: Mapping[str, Examples],
        report: Callable[[float, str], None],
    ) -> dict[str, float]:
        """Train until it is done or the time is over.

        Args:
            train: What to learn from.
            unseen: Other examples, by the name of the loss on them.
            report: Takes the progress.

        Returns:
            The last losses on other examples.

        Raises:
            BadTraining: The loss is no number any more.
        """
        progress, config = self.progress, self.config
        journal = Journal(self.folder, progress.step)
        meter = Meter(matmul_peak(self.device, self.dtype))
        first, found = progress.step, dict[str, float]()
        steps = epoch_of(train.lengths, config, self.seed, progress.epoch)
        while self.done < 1 and (progress.step == first or time.monotonic() < self.deadline):
            if progress.place == len(steps):
                progress.epoch, progress.place = progress.epoch + 1, 0
                steps = epoch_of(train.lengths, config, self.seed, progress.epoch)
            batches = [train.batch(numbers) for numbers in steps[progress.place]]
            rate = rate_at(self._done_soon(), config)
            meter.add(self._step(batches, rate), batches, self._flops(batches))
            progress.step, progress.place = progress.step + 1, progress.place + 1
            progress.tokens += sum(int(batch.lengths.sum()) for batch in batches)
            progress.seconds = time.monotonic() - self.began
            if progress.step % config.log_every == 0 or self.done >= 1:
                self._log(meter, rate, journal, report)
            if progress.step % config.validate_every == 0 or self.done >= 1:
                found = {name: self.loss(examples) for name, examples in unseen.items()}
                if found and self.reference is not None:
                    examples = unseen[LIST_LOSS]
                    found |= self.worth(examples, self.reference)
                if found:
                    journal.write(progress.step, found)
            if progress.seconds - self.saved >= 60 * config.checkpoint_minutes:
                self.save()
        self.save()
        journal.close()
        return found

    def save(self) -> None:
        """Write a checkpoint."""
        path = self.folder / CHECKPOINT
        save_checkpoint(path, self.model, self.optimizer, self.progress, self.plan)
        self.saved = self.progress.seconds

    @torch.no_grad()
    def loss(self, examples: Examples) -> float:
        """Return the mean loss of the tokens that count."""
        total = weight = 0.0
        for step in epoch_of(examples.lengths, self.config, 0, 0):
            for numbers in step:
                losses, weights = self._losses(examples.batch(numbers))
                total += float((losses * weights).sum())
                weight += float(weights.sum())
        return total / weight

    @torch.no_grad()
    def worth(self, examples: Examples, reference: int) -> dict[str, float]:
        """Return what the most probable lists give over one list of the portfolio.

        Functions were drawn by their instructions, so that the improvement stands for the sum over
        all, and the share of those that get worse for all functions, each counted alike.

        Args:
            examples: With costs.
            reference: The number of the list to compare with, -Oz.
        """
        chosen = compared = worse = functions = 0.0
        for step in epoch_of(examples.lengths, self.config, 0, 0):
            for numbers in step:
                batch = examples.batch(numbers).to(self.device)
                with autocast(self.device, self.dtype):
                    hidden = hidden_states(self.model, batch)
                    choices = choose(self.model, hidden, batch, self.first)
                costs = batch.costs.gather(1, choices[:, None])[:, 0]
                known, weights = batch.costs[:, reference], 1 / batch.before.clamp(min=1)
                chosen += float(costs.sum())
                compared += float(known.sum())
                worse += float(((costs > known) * weights).sum())
                functions += float(weights.sum())
        return {
            "validation_improvement": compared / chosen - 1,
            "validation_regressed": worse / functions,
        }

    def _step(self, batches: Sequence[Batch], rate: float) -> tuple[Tensor, Tensor]:
        """Learn from batches together; return their loss, and the norm of its gradient."""
        weight = sum(self._weight(batch) for batch in batches)
        loss = torch.zeros((), device=self.device)
        for batch in batches:
            losses, weights = self._losses(batch)
            part = (losses * weights).sum() / weight
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss, norm

    def _weight(self, batch: Batch) -> float:
        return float(batch.weights.sum()) + self.config.choice_weight * len(batch.choices)

    def _losses(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the losses of tokens and of choices, and their weights."""
        with autocast(self.device, self.dtype):
            batch = batch.to(self.device)
            hidden = hidden_states(self.model, batch)
            losses, weights = token_losses(self.model, hidden, batch)
            if not len(batch.choices):
                return losses, weights
            costs = with_regressions(batch, self.config.regression_cost)
            batch = replace(batch, costs=costs)
            cost = self.config.choice_cost
            choices = choice_losses(self.model, hidden, batch, self.first, cost)
        more = torch.full_like(choices, self.config.choice_weight)
        return torch.cat([losses, choices]), torch.cat([weights, more])

    def _flops(self, batches: Sequence[Batch]) -> float:
        return sum(flops_of(self.model.config, batch) for batch in batches)

    def _done_soon(self) -> float:
        """Return which share is done with the next step, so that the first one has a rate."""
        if self.config.steps is not None:
            return (self.progress.step + 1) / self.config.steps
        return self.done + self.done / max(self.progress.step, 1)

    def _log(
        self,
        meter: Meter,
        rate: float,
        journal: Journal,
        report: Callable[[float, str], None],
    ) -> None:
        values = meter.values()
        step, tokens = self.progress.step, self.progress.tokens
        if not math.isfinite(values["loss"] + values["gradient_norm"]):
            raise BadTraining(
                f"step {step:,}: expected a finite loss, got {values['loss']}. Begin again in "
                "another folder with a lower rate."
            )
        journal.write(step, values | {"rate": rate, "tokens": tokens, "epoch": self.progress.epoch})
        speed = f"{values['tokens_per_second']:,.0f} tokens/s"
        report(min(self.done, 1.0), f"step {step:,}, loss {values['loss']:.4f}, {speed}")
