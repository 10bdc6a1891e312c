"""The meter of compilations."""

from __future__ import annotations

import threading
import time

import pytest

from llmopt_bench.budget import Meter
from llmopt_bench.errors import BudgetSpent


def test_counts_compilations_and_passes() -> None:
    meter = Meter(budget=5)
    meter.spend()
    meter.spend(compilations=2, passes=30)
    assert (meter.compilations, meter.passes, meter.remaining) == (3, 30, 2)
    assert not meter.exhausted
    meter.spend(2)
    assert meter.remaining == 0
    assert meter.exhausted


def test_no_limit() -> None:
    meter = Meter()
    meter.spend(10**9)
    assert meter.budget is None
    assert meter.remaining is None
    assert not meter.exhausted


def test_overspending_changes_nothing() -> None:
    meter = Meter(budget=3)
    meter.spend(2, passes=7)
    with pytest.raises(BudgetSpent, match="asked for 2 compilations, 1 of 3 are left"):
        meter.spend(2, passes=5)
    assert (meter.compilations, meter.passes, meter.remaining) == (2, 7, 1)


def test_budget_of_zero_refuses_the_first_compilation_but_not_nothing() -> None:
    meter = Meter(budget=0)
    assert meter.exhausted
    meter.spend(0)
    with pytest.raises(BudgetSpent):
        meter.spend()


@pytest.mark.parametrize("value", [True, 1.0, "1"])
def test_counts_are_integers(value: object) -> None:
    with pytest.raises(TypeError, match="integer"):
        Meter(budget=value)  # type: ignore[arg-type]
    meter = Meter()
    with pytest.raises(TypeError, match="compilations"):
        meter.spend(value)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="passes"):
        meter.spend(1, value)  # type: ignore[arg-type]
    assert meter.compilations == 0


def test_counts_are_not_negative() -> None:
    with pytest.raises(ValueError, match="budget"):
        Meter(budget=-1)
    meter = Meter(budget=1)
    with pytest.raises(ValueError, match="compilations"):
        meter.spend(-1)
    with pytest.raises(ValueError, match="passes"):
        meter.spend(1, -1)
    assert (meter.compilations, meter.remaining) == (0, 1)


class SlowMeter(Meter):
    """Gives other threads the time to come between reading what is left and charging it."""

    __slots__ = ()

    @property
    def remaining(self) -> int | None:
        left = super().remaining
        time.sleep(0.002)
        return left


def test_threads_share_a_budget_exactly() -> None:
    meter = SlowMeter(budget=20)
    refused: list[BudgetSpent] = []

    def work() -> None:
        for _ in range(5):
            try:
                meter.spend(1, passes=2)
            except BudgetSpent as error:
                refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (meter.compilations, meter.passes) == (20, 40)
    assert len(refused) == 20


def test_repr_tells_the_state() -> None:
    meter = Meter(budget=2)
    meter.spend(passes=4)
    assert repr(meter) == "<Meter 1 compilations of 2, 4 passes>"


def test_take_charges_one_and_tells_what_is_left():
    meter = Meter(2)
    assert [meter.take(), meter.take(), meter.take(), meter.take()] == [1, 0, -1, -1]
    assert (meter.compilations, meter.passes) == (2, 2)
    unlimited = Meter()
    assert unlimited.take() > 0
    assert unlimited.take() > 0
    assert unlimited.compilations == 2
