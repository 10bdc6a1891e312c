"""Operations of an environment and what they take, the same lines for CompilerGym and for ours.

CompilerGym's interpreter runs this file as a script, so it must not import this library, nor use
anything newer than Python 3.8. It then answers requests, one JSON array a line: the arguments of
``Operations.measure``. The answer is a JSON array of seconds.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time


def seconds_of(work):
    """Return the wall-clock seconds of a call: the compiler works in another process."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Operations:
    """What is measured, on environments of one maker.

    Args:
        make: Returns an environment for the path of a program, with Autophase as observation and
            IrInstructionCountOz as reward.
    """

    def __init__(self, make):
        self._make = make
        self._envs = {}

    def measure(self, program, operation, repeats, detail=None):
        """Return the seconds of each of some repeats of an operation on a program.

        =============  ================  =========================================================
        operation      detail            what one repeat is
        =============  ================  =========================================================
        make           none              an environment made, used for one episode's start, closed
        reset          none              the start of an episode after another of one step
        step           flag              a step; the first of the episode is left out
        walk           flags             an episode's steps, each with its observation and reward
        multistep      flags             the same flags in one call
        observation    name and flags    one observation after each step of a walk, in sum
        fork           none              a fork after one step, and its end
        fork_and_step  flags             a fork after all of them, a step of it, and its end
        =============  ================  =========================================================
        """
        if operation == "make":
            return [seconds_of(lambda: self._made(program).close()) for _ in range(repeats)]
        env = self._envs.get(program)
        if env is None:
            env = self._envs[program] = self._made(program)
        return list(getattr(self, "_" + operation)(env, repeats, detail))

    def _made(self, program):
        env = self._make(program)
        env.reset()
        return env

    def _reset(self, env, repeats, detail):
        for _ in range(repeats):
            env.step(number(env, "-mem2reg"))
            yield seconds_of(env.reset)

    def _step(self, env, repeats, flag):
        env.reset()
        env.step(number(env, flag))
        for _ in range(repeats):
            yield seconds_of(lambda: env.step(number(env, flag)))

    def _walk(self, env, repeats, flags):
        for _ in range(repeats):
            env.reset()
            yield sum(seconds_of(lambda flag=flag: env.step(number(env, flag))) for flag in flags)

    def _multistep(self, env, repeats, flags):
        numbers = [number(env, flag) for flag in flags]
        for _ in range(repeats):
            env.reset()
            yield seconds_of(lambda: env.multistep(numbers))

    def _observation(self, env, repeats, detail):
        name, flags = detail
        for _ in range(repeats):
            env.reset()
            seconds = 0.0
            for flag in flags:
                env.step(number(env, flag))
                seconds += seconds_of(lambda: env.observation[name])
            yield seconds

    def _fork(self, env, repeats, detail):
        env.reset()
        env.step(number(env, "-mem2reg"))
        for _ in range(repeats):
            yield seconds_of(lambda: env.fork().close())

    def _fork_and_step(self, env, repeats, flags):
        env.reset()
        for flag in flags:
            env.step(number(env, flag))

        def fork_and_step():
            fork = env.fork()
            fork.step(number(env, "-globaldce"))
            fork.close()

        for _ in range(repeats):
            yield seconds_of(fork_and_step)


def number(env, flag):
    """Return the number of a flag."""
    return env.action_space.flags.index(flag)


def main():
    """Answer requests with CompilerGym's environments."""
    gym = importlib.import_module("compiler_gym")
    # What CompilerGym prints is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def make(program):
        with open(program, "rb") as stream:  # noqa: PTH123
            data = stream.read()
        # A benchmark must be named, or CompilerGym downloads one.
        named = gym.datasets.Benchmark.from_file_contents("benchmark://peers-v0/program", data)
        return gym.make("llvm-autophase-ic-v0", benchmark=named)

    operations = Operations(make)
    for line in sys.stdin:
        answers.write(json.dumps(operations.measure(*json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
