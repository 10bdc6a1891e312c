"""LLVM code-size optimization as Gymnasium environments, with agents, scores and leaderboards.

Importing this package registers the environments and loads nothing else: each public name is
imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import gymnasium as _gymnasium

if TYPE_CHECKING:
    from llmopt_bench.action_set import Action, ActionSet, make_action_set
    from llmopt_bench.agent import Agent, AgentInfo, agent_names, load_agent
    from llmopt_bench.budget import Meter
    from llmopt_bench.build import build_info
    from llmopt_bench.compiler_gym_env import CompilerGymEnv
    from llmopt_bench.compiler_gym_session import CompilerGymSession
    from llmopt_bench.compiler_gym_state import CompilerGymState
    from llmopt_bench.datasets import dataset_names, load_program, make_dataset
    from llmopt_bench.env import PassOrderEnv
    from llmopt_bench.errors import (
        BadModel,
        BadTraining,
        BudgetSpent,
        CompilerError,
        LlmoptError,
        UnknownName,
    )
    from llmopt_bench.features import feature_names
    from llmopt_bench.formulas import bootstrap_interval, overall_improvement
    from llmopt_bench.graph import GRAPH_VERSION, GRAPH_VOCABULARY, ProgramGraph
    from llmopt_bench.ir_errors import IrError
    from llmopt_bench.ir_scores import IrScore, IrScorer, summarize_ir
    from llmopt_bench.isolation import Isolation
    from llmopt_bench.labels import Label, read_labels
    from llmopt_bench.pass_list_env import PassListEnv
    from llmopt_bench.passes import PassList
    from llmopt_bench.plain_file import write_whole
    from llmopt_bench.program import Program
    from llmopt_bench.record import Record, read_records
    from llmopt_bench.score import score_table
    from llmopt_bench.session import Session
    from llmopt_bench.single_pass_env import SinglePassEnv
    from llmopt_bench.task import Task, make_task, task_names
    from llmopt_bench.training import Trained, TrainJob, train_settings
    from llmopt_bench.vector import PassOrderVectorEnv

_HOME = {
    "Action": "action_set",
    "ActionSet": "action_set",
    "Agent": "agent",
    "AgentInfo": "agent",
    "BadModel": "errors",
    "BadTraining": "errors",
    "BudgetSpent": "errors",
    "CompilerError": "errors",
    "CompilerGymEnv": "compiler_gym_env",
    "CompilerGymSession": "compiler_gym_session",
    "CompilerGymState": "compiler_gym_state",
    "GRAPH_VERSION": "graph",
    "GRAPH_VOCABULARY": "graph",
    "IrError": "ir_errors",
    "IrScore": "ir_scores",
    "IrScorer": "ir_scores",
    "Isolation": "isolation",
    "Label": "labels",
    "LlmoptError": "errors",
    "Meter": "budget",
    "PassList": "passes",
    "PassListEnv": "pass_list_env",
    "PassOrderEnv": "env",
    "PassOrderVectorEnv": "vector",
    "Program": "program",
    "ProgramGraph": "graph",
    "Record": "record",
    "Session": "session",
    "SinglePassEnv": "single_pass_env",
    "Task": "task",
    "TrainJob": "training",
    "Trained": "training",
    "UnknownName": "errors",
    "agent_names": "agent",
    "bootstrap_interval": "formulas",
    "build_info": "build",
    "dataset_names": "datasets",
    "feature_names": "features",
    "load_agent": "agent",
    "load_program": "datasets",
    "make_action_set": "action_set",
    "make_dataset": "datasets",
    "make_task": "task",
    "overall_improvement": "formulas",
    "read_labels": "labels",
    "read_records": "record",
    "score_table": "score",
    "summarize_ir": "ir_scores",
    "task_names": "task",
    "train_settings": "training",
    "write_whole": "plain_file",
}

__all__ = [
    "Action",
    "ActionSet",
    "Agent",
    "AgentInfo",
    "BadModel",
    "BadTraining",
    "BudgetSpent",
    "CompilerError",
    "CompilerGymEnv",
    "CompilerGymSession",
    "CompilerGymState",
    "GRAPH_VERSION",
    "GRAPH_VOCABULARY",
    "IrError",
    "IrScore",
    "IrScorer",
    "Isolation",
    "Label",
    "LlmoptError",
    "Meter",
    "PassList",
    "PassListEnv",
    "PassOrderEnv",
    "PassOrderVectorEnv",
    "Program",
    "ProgramGraph",
    "Record",
    "Session",
    "SinglePassEnv",
    "Task",
    "TrainJob",
    "Trained",
    "UnknownName",
    "__version__",
    "agent_names",
    "bootstrap_interval",
    "build_info",
    "dataset_names",
    "feature_names",
    "load_agent",
    "load_program",
    "make_action_set",
    "make_dataset",
    "make_task",
    "overall_improvement",
    "read_labels",
    "read_records",
    "score_table",
    "summarize_ir",
    "task_names",
    "train_settings",
    "write_whole",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        # Slow to import, and few ask.
        return importlib.import_module("importlib.metadata").version("llmopt-bench")
    if name in _HOME:
        value = getattr(importlib.import_module(f"llmopt_bench.{_HOME[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'llmopt_bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


# The environments check actions and the order of calls themselves; Gymnasium's wrappers for that
# cost as much as a small pass.
_gymnasium.register(
    id="llmopt_bench/PassOrder-v0",
    entry_point="llmopt_bench.env:PassOrderEnv",
    vector_entry_point="llmopt_bench.vector:PassOrderVectorEnv",
    disable_env_checker=True,
    order_enforce=False,
)
_gymnasium.register(
    id="llmopt_bench/PassList-v0",
    entry_point="llmopt_bench.pass_list_env:PassListEnv",
    disable_env_checker=True,
    order_enforce=False,
)
_gymnasium.register(
    id="llmopt_bench/SinglePass-v0",
    entry_point="llmopt_bench.single_pass_env:SinglePassEnv",
    disable_env_checker=True,
    order_enforce=False,
)
# CompilerGym's ids, on our compiler: what an episode shows and earns is in the name.
for _shows, _observation in {"": None, "-autophase": "Autophase", "-ir": "Ir"}.items():
    for _earns, _reward in {"-ic": "IrInstructionCountOz", "-codesize": "ObjectTextSizeOz"}.items():
        _gymnasium.register(
            id=f"llmopt_bench/CompilerGym-llvm{_shows}{_earns}-v0",
            entry_point="llmopt_bench.compiler_gym_env:CompilerGymEnv",
            kwargs={"observation_space": _observation, "reward_space": _reward},
            disable_env_checker=True,
            order_enforce=False,
        )
_gymnasium.register(
    id="llmopt_bench/CompilerGym-llvm-v0",
    entry_point="llmopt_bench.compiler_gym_env:CompilerGymEnv",
    disable_env_checker=True,
    order_enforce=False,
)
