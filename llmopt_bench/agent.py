"""Agents: what they must be able to do, how they are found by name, and how answers are checked."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from llmopt_bench.agent_settings import Scalar, bound_settings, field_values
from llmopt_bench.errors import BadAgent, UnknownName, UnknownPass, shorten, shown, unknown
from llmopt_bench.passes import PassList, as_pass_list
from llmopt_bench.record_fields import is_amount

if TYPE_CHECKING:
    from llmopt_bench.env import PassOrderEnv

GROUP = "llmopt_bench.agents"
"""The entry-point group under which packages register their agents."""

_EXTRAS = {
    "torch": "rl",
    "stable_baselines3": "rl",
    "sb3_contrib": "rl",
    "torch_geometric": "rl",
    "transformers": "llm",
    "llguidance": "llm",
    "openai": "api",
    "ray": "distributed",
    "nevergrad": "search",
}


@runtime_checkable
class Agent(Protocol):
    """Anything that answers an environment with a pass list.

    An agent may step, fork and evaluate as its budget allows (``env.meter.remaining``), and must
    stop by itself when it is spent. All randomness comes from ``env.np_random``. A run must not
    depend on earlier runs of the same object. Three attributes are optional: ``version`` (text),
    ``trained_on`` (names of program sets) and ``usage`` (what the last run used beside
    compilations, for example ``{"tokens_in": 812}``).

    An agent may have a second phase, ``broadcast(env, best, lists)``, which the runner calls when
    ``run`` has answered for all programs of the run. ``best`` is the agent's answer for this
    program, ``lists`` are its distinct answers for all programs, those that won most first. The
    meter of ``env`` goes on where ``run`` has left it, and the answer replaces that of ``run``.
    ``usage`` then tells of the second phase alone.
    """

    def run(self, env: PassOrderEnv, /) -> PassList:
        """Return the answer for the program of ``env``, which has just been reset."""


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """What a record says about the agent."""

    name: str
    """The name it was asked for: a registered one, or ``module:attribute``."""
    version: str
    settings: Mapping[str, Scalar]
    """Every setting with its value, defaults included."""
    trained_on: tuple[str, ...] = ()


class LoadedAgent:
    """An agent that is ready to run, with its answers checked.

    It is pickled as its name and settings, so a worker process loads its own.
    """

    def __init__(
        self, info: AgentInfo, agent: Callable[[Any], object], source: object, given: dict[str, Any]
    ) -> None:
        self.info = info
        self._agent = agent
        self._source = source
        self._given = given

    @property
    def usage(self) -> dict[str, int | float]:
        """What the last run used beside compilations, as the agent tells it.

        Raises:
            BadAgent: It tells something else than numbers by name.
        """
        usage = getattr(self._source, "usage", {})
        if not isinstance(usage, Mapping) or not all(map(_is_usage, usage.items())):
            raise BadAgent(
                f"agent {self.info.name!r}: expected numbers of 0 or more by name as its usage, "
                f"got {shown(usage)}."
            )
        return dict(usage)

    def run(self, env: PassOrderEnv) -> PassList:
        """Run the agent and return its answer as a pass list of the environment's action set.

        Raises:
            BadAgent: The answer is not a pass list, nor text or names that make one.
        """
        return self._checked(self._agent(env), env)

    @property
    def has_broadcast(self) -> bool:
        """Whether the agent has a second phase."""
        return callable(getattr(self._source, "broadcast", None))

    def broadcast(self, env: PassOrderEnv, best: PassList, lists: Sequence[PassList]) -> PassList:
        """Run the second phase of the agent and return its answer, as ``run`` does.

        Raises:
            BadAgent: As ``run``, or the agent has no second phase.
        """
        if not self.has_broadcast:
            raise BadAgent(
                f"agent {self.info.name!r}: expected a method broadcast(env, best, lists), got "
                "none. Call run alone."
            )
        source: Any = self._source
        return self._checked(source.broadcast(env, best, lists), env)

    def _checked(self, answer: object, env: PassOrderEnv) -> PassList:
        if not isinstance(answer, Iterable) or isinstance(answer, bytes | Mapping):
            raise BadAgent(
                f"agent {self.info.name!r}: expected a PassList as the answer, got "
                f"{type(answer).__name__}. Return one, or its text, or a list of action names."
            )
        try:
            return as_pass_list(answer, env.action_set)
        except UnknownPass as error:
            raise BadAgent(
                f"agent {self.info.name!r}: the answer is not a pass list: {error}"
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return _reload, (self.info.name, self._given)


@dataclass(frozen=True, slots=True)
class Registration:
    """One name in the registry, known without importing the agent."""

    name: str
    target: str
    """``module:attribute`` of the agent."""
    distribution: str
    """Name and version of the package that registered it."""


def registered_agents() -> list[Registration]:
    """Return what is registered, sorted by name; nothing is imported."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return [Registration(p.name, p.value, " ".join(_distribution(p))) for p in points]


def agent_names() -> tuple[str, ...]:
    """Return the names of the registered agents."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def load_agent(name: str, /, **settings: Any) -> LoadedAgent:
    """Return the agent ``name`` with these settings.

    Args:
        name: A registered name, or ``module:attribute``. It may name a class, which is called
            with the settings; a function, which gets the environment and the settings; or an
            object with ``run``, which takes no settings.
        settings: Arguments of the class or function.

    Raises:
        UnknownName: No agent is registered under this name.
        BadAgent: It cannot be imported, is not an agent, or does not take these settings.
    """
    target, default_version = _find(name)
    source, agent, values = _prepare(name, target, settings)
    own_version = getattr(source, "version", default_version)
    trained_on = getattr(source, "trained_on", ())
    if not (isinstance(own_version, str) and own_version):
        raise BadAgent(f"agent {name!r}: expected a text as its version, got {shown(own_version)}.")
    if not _are_names(trained_on):
        raise BadAgent(f"agent {name!r}: expected names as trained_on, got {shown(trained_on)}.")
    info = AgentInfo(name, own_version, values, tuple(trained_on))
    return LoadedAgent(info, agent, source, settings)


def _reload(name: str, settings: dict[str, Any]) -> LoadedAgent:
    return load_agent(name, **settings)


def _find(name: str) -> tuple[object, str]:
    """Return the object that ``name`` means, and the version of its distribution."""
    if ":" in name:
        point = EntryPoint(name, name, GROUP)
        return _import(point), _version_of(name.partition(":")[0].partition(".")[0])
    points = list({point.value: point for point in entry_points(group=GROUP, name=name)}.values())
    if not points:
        advice = f"Registered: {', '.join(agent_names())}; or name one as module:attribute."
        raise UnknownName(unknown("agent", shorten(name), agent_names(), advice))
    if len(points) > 1:
        values = " and ".join(sorted(point.value for point in points))
        raise BadAgent(f"agent {name!r} is registered as {values}. Use module:attribute.")
    return _import(points[0]), _distribution(points[0])[1]


def _import(point: EntryPoint) -> object:
    module_name, _, attribute = point.value.partition(":")
    try:
        if not module_name or not attribute:
            raise ImportError("expected module:attribute")
        target: object = importlib.import_module(module_name)
        for part in attribute.split("."):
            target = getattr(target, part)
    except (Exception, SystemExit) as error:  # whatever the module does when it is imported
        raise BadAgent(f"agent {shown(point.name)}: {import_trouble(error)}") from error
    return target


def import_trouble(error: BaseException) -> str:
    """Return what is wrong when something registered cannot be imported, and the next step."""
    text = shorten(str(error), 300)
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and missing in _EXTRAS:
        extra = _EXTRAS[missing]
        return f"it needs {missing}. Install it with: pip install 'llmopt-bench[{extra}]'"
    if isinstance(error, AttributeError):
        return f"{text}. Check the name after the colon."
    return f"cannot import it: {type(error).__name__}: {text}. Install or correct its package."


def _distribution(point: EntryPoint) -> tuple[str, str]:
    found = point.dist
    return (found.name, found.version) if found else ("unknown", "unversioned")


def _version_of(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unversioned"


def _prepare(
    name: str, target: object, settings: dict[str, Any]
) -> tuple[object, Callable[[Any], object], dict[str, Scalar]]:
    """Return what carries the attributes, what to call with the environment, and all settings."""
    if isinstance(target, type):
        if not callable(getattr(target, "run", None)):
            raise BadAgent(f"agent {name!r}: the class {target.__name__} has no method run(env).")
        values = bound_settings(name, target, settings, skip=0)
        agent = _construct(name, target, settings)
        return agent, agent.run, values
    if isinstance(target, Agent):
        if settings:
            raise BadAgent(
                f"agent {name!r} is an object and takes no settings, got "
                f"{shorten(', '.join(settings))}. Leave them out, or register its class."
            )
        return target, target.run, field_values(target)
    if callable(target):
        values = bound_settings(name, target, settings, skip=1)
        return target, partial(target, **settings), values
    raise BadAgent(
        f"agent {name!r}: expected a class or object with run(env), or a function of env, got "
        f"{type(target).__name__}. Register one of these."
    )


def _construct(name: str, target: type, settings: dict[str, Any]) -> Agent:
    try:
        return cast("Agent", target(**settings))
    except ModuleNotFoundError as error:
        raise BadAgent(f"agent {name!r}: {import_trouble(error)}") from error
    except Exception as error:  # whatever a constructor raises about the settings it got
        raise BadAgent(
            # Names alone: a setting that is refused may hold a password.
            f"agent {name!r} refuses its settings {shorten(', '.join(settings), 300)}: "
            f"{type(error).__name__}: {shorten(str(error), 300)}"
        ) from error


def _is_usage(entry: tuple[object, object]) -> bool:
    name, amount = entry
    return isinstance(name, str) and is_amount(amount)


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
