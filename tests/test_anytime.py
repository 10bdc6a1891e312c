"""The anytime curve, and what environments note in it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from llmopt_bench import (
    Meter,
    PassList,
    PassListEnv,
    PassOrderEnv,
    PassOrderVectorEnv,
    load_agent,
)
from llmopt_bench.anytime import MAX_POINTS, Curve
from llmopt_bench.record_fields import SCHEMA
from llmopt_bench.runner_work import Item, Job, perform
from llmopt_bench.session import Session
from llmopt_bench.task import Task

PROGRAM = "bundled-v1/crc_family"  # 635 instructions, 282 under -Oz, 350 after mem2reg
OTHER = "bundled-v1/mandel_ascii"


def started(**options: Any) -> PassOrderEnv:
    env = PassOrderEnv(PROGRAM, **options)
    env.reset(seed=0)
    return env


def step(env: PassOrderEnv, name: str) -> None:
    env.step(env.action_set.index(name))


class TestCurve:
    def test_keeps_improvements_only(self) -> None:
        curve = Curve(90)
        for compilations, value in [(1, 95), (2, 90), (3, 80), (4, 80), (9, 20), (10, 21)]:
            curve.note(compilations, value)
        assert curve.points == ((0, 90), (3, 80), (9, 20))
        assert curve.best == 20

    def test_what_is_free_is_no_part_of_it(self) -> None:
        curve = Curve(90)
        curve.note(0, 10)
        assert (curve.points, curve.best) == (((0, 90),), 90)

    def test_an_earlier_place_that_comes_late_makes_later_ones_void(self) -> None:
        curve = Curve(90)
        for compilations, value in [(2, 80), (5, 70), (7, 60), (5, 50)]:
            curve.note(compilations, value)
        assert curve.points == ((0, 90), (2, 80), (5, 50))

    def test_listener_hears_of_improvements(self) -> None:
        heard = []
        curve = Curve(90)
        curve.note(1, 80)
        curve.listener = lambda compilations, value: heard.append((compilations, value))
        for compilations, value in [(2, 85), (3, 70)]:
            curve.note(compilations, value)
        assert heard == [(3, 70)]

    def test_a_long_curve_becomes_coarser_and_never_better(self) -> None:
        size = 3 * MAX_POINTS
        curve = Curve(size)
        for spent in range(1, size + 1):
            curve.note(spent, size - spent)
        points = curve.points
        assert len(points) <= MAX_POINTS
        assert (points[0], points[-1]) == ((0, size), (size, 0))
        assert all(spent + value == size for spent, value in points)

    def test_threads_leave_a_curve_that_a_record_takes(self) -> None:
        curve = Curve(10_000)

        def note(first: int) -> None:
            for spent in range(first, 4000, 4):
                curve.note(spent, 10_000 - spent)

        threads = [threading.Thread(target=note, args=(first,)) for first in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent, values = zip(*curve.points, strict=True)
        assert list(spent) == sorted(set(spent))
        assert list(values) == sorted(set(values), reverse=True)
        assert curve.best == 10_000 - 3999


class TestEnvironment:
    def test_each_list_counts_at_its_own_place(self) -> None:
        env = started()
        env.evaluate([[], ["mem2reg"], ["mem2reg"], ["Oz"]])
        assert env.curve.points == ((0, 635), (2, 350), (4, 282))

    def test_steps_count(self) -> None:
        env = started()
        step(env, "globaldce")
        step(env, "mem2reg")
        assert env.curve.points == ((0, 635), (2, 350))

    def test_evaluate_from_here_counts(self) -> None:
        env = started()
        step(env, "mem2reg")
        smaller = env.evaluate("Oz", here=True)
        assert env.curve.points == ((0, 635), (1, 350), (2, smaller))

    @pytest.mark.parametrize("failure", [-5, 0, 5, 10**9])
    def test_a_list_that_fails_counts_for_nothing(
        self, failure: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        env = started()
        real = Session.evaluate

        def fails_on_sroa(self: Session, lists: list[PassList], **options: Any) -> list[int]:
            values = real(self, lists, **options)
            failed = ["sroa<modify-cfg>" in one for one in lists]
            return [options["failure"] if f else v for v, f in zip(values, failed, strict=True)]

        monkeypatch.setattr(Session, "evaluate", fails_on_sroa)
        values = env.evaluate(["sroa<modify-cfg>", "mem2reg"], failure=failure)
        assert values == [failure, 350]
        assert env.curve.points == ((0, 635), (2, 350))

    def test_knows_the_list_that_gave_the_best(self) -> None:
        env = started()
        assert env.curve.pass_list is None
        env.evaluate(["mem2reg", "dce"])
        assert env.curve.pass_list == PassList(["mem2reg"])
        step(env, "mem2reg")
        step(env, "instcombine")
        assert env.curve.pass_list == PassList(["mem2reg", "instcombine"])
        env.evaluate("Oz", here=True)
        assert env.curve.pass_list == PassList(["mem2reg", "instcombine", "Oz"])

    def test_forks_share_it(self) -> None:
        env = started()
        twin = env.fork()
        twin.evaluate(["mem2reg"])
        env.evaluate(["Oz"])
        assert env.curve is twin.curve
        assert env.curve.points == ((0, 635), (1, 350), (2, 282))

    def test_an_episode_with_its_own_account_starts_a_new_one(self) -> None:
        env = started()
        env.evaluate("Oz")
        env.reset()
        assert env.curve.points == ((0, 635),)

    def test_a_given_account_goes_on_unless_the_program_is_another(self) -> None:
        env = started(meter=Meter(10))
        env.evaluate("mem2reg")
        env.reset()
        env.evaluate("Oz")
        assert env.curve.points == ((0, 635), (1, 350), (2, 282))
        env.reset(options={"program": OTHER})
        assert env.curve.points == ((0, env.initial),)

    def test_bytes_count_where_they_are_the_metric(self) -> None:
        env = started(metric="text_size")
        step(env, "mem2reg")
        assert env.curve.points == ((0, env.initial),)
        size = env.value
        assert size < env.initial
        assert env.curve.points == ((0, env.initial), (1, size))

    def test_the_free_answer_does_not_count(self) -> None:
        env = PassListEnv(PROGRAM)
        env.reset()
        env.step("Oz")
        assert env.curve.points == ((0, 635),)

    def test_vector_environments_note_their_steps(self) -> None:
        envs = PassOrderVectorEnv(2, program=PROGRAM)
        envs.reset(seed=0)
        names = envs.envs[0].action_names
        envs.step([names.index("mem2reg"), names.index("globaldce")])
        assert [curve.points for curve in envs.get_attr("curve")] == [
            ((0, 635), (1, 350)),
            ((0, 635),),
        ]


def test_the_runner_writes_it_into_the_record() -> None:
    task = Task(name="tiny", metric="instruction_count", budget=9, programs=(PROGRAM,))
    job = Job(task, (load_agent("random"),), budget=9, seed=0)
    record = perform(job, Item(0, PROGRAM, 0), job.facts(PROGRAM))
    assert (record.schema, record.curve[:2]) == (SCHEMA, ((0, 635), (1, 282)))
    assert record.curve[-1][1] == record.new
