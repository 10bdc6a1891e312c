"""A session in CompilerGym, with what CompilerGym alone has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from llmopt_bench.action_set import ActionSet
from llmopt_bench.compiler_gym_module import CompilerGymModule
from llmopt_bench.isolation import DEFAULT, Host, Isolation
from llmopt_bench.program import Program
from llmopt_bench.session import Session


class CompilerGymSession(Session):
    """``Session(..., backend="compiler_gym")`` with CompilerGym's observations and rewards.

    What environments with this backend have as ``session``. CompilerGym 0.2.5 with LLVM 10 works
    in an interpreter of its own (``llmopt-bench compiler-gym setup``).

    Where it is not ours: ``apply`` knows CompilerGym's 124 actions, with their dash
    (``-mem2reg``), and no pipelines; ``instruction_count`` is ``IrInstructionCount``;
    ``text_size`` is ``ObjectTextSizeBytes``, of what this machine's clang makes of the code;
    ``reference`` knows O0, O3 and Oz, which are CompilerGym's pipelines and not those of clang.
    Features are CompilerGym's own. ``ir()`` and ``bitcode()`` are LLVM 10's; the normalised IR,
    the graph, the content hash and the external definitions are those of the module as today's
    LLVM reads it. The program must be bitcode that LLVM 10 can read.

    Args:
        program: As for ``Session``; also ``benchmark://`` and ``generator://`` URIs of
            CompilerGym's datasets.
        metric: As for ``Session``.
        action_set: ``compiler-gym-v0`` if None.
        isolation: As for ``Session``; None for no limits.

    Raises:
        NoCompilerGym: It is not set up.
        BadProgram, UnknownName, UnknownProgram: As for ``Session``.
    """

    def __init__(
        self,
        program: Program | str | Path,
        *,
        metric: str = "instruction_count",
        action_set: ActionSet | None = None,
        isolation: Isolation | Host | None = DEFAULT,
    ) -> None:
        super().__init__(
            program,
            metric=metric,
            action_set=action_set,
            isolation=isolation,
            backend="compiler_gym",
        )

    def observation(self, name: str) -> Any:
        """Return an observation by CompilerGym's name, of the module as it is now.

        Numbers, text, lists and dicts are plain Python; vectors and bitcode are arrays. The graph
        ``Programl`` is a dict in the node-link form of networkx.

        Raises:
            UnknownName: There is no such observation.
        """
        return self.state.ask(lambda module: cast(CompilerGymModule, module).observation(name))

    def reward(self, name: str) -> float:
        """Return the sum of what CompilerGym pays, by the reward's name, since the start.

        Reading it changes nothing, unlike ``env.reward[name]`` in CompilerGym.

        Raises:
            UnknownName: There is no such reward.
        """
        return self.state.ask(lambda module: cast(CompilerGymModule, module).reward(name))
