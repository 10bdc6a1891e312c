"""CompilerGym's observations by name, computed when they are asked for.

Absent are those that LLVM 22 or this library has no counterpart of; ``docs/migrate.md`` lists
them with the reasons.
"""

from __future__ import annotations

import functools
import hashlib
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llmopt_bench.errors import UnknownName, unknown
from llmopt_bench.features import feature_names
from llmopt_bench.observations import IRText
from llmopt_bench.session import Session

# Above any count; Gymnasium samples integers by way of floats, which are exact up to here.
_MAX = 2**53
_LEVELS = ("O0", "O3", "Oz")
_SHA1_DIGITS = 40
# The first lines of a module say what file it came from.
_NAMED = re.compile(r"\A; ModuleID = .*\n(?:source_filename = .*\n)?")
_ANONYMOUS = "; ModuleID = '-'\nsource_filename = \"-\"\n"


class Scalar(spaces.Box):
    """One number of at least 0, as a plain ``int`` or ``float`` or a scalar of NumPy."""

    def __init__(self, dtype: type[np.int64] | type[np.float32] = np.int64) -> None:
        super().__init__(0, _MAX if dtype is np.int64 else np.inf, (), dtype=dtype)

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is such a number."""
        return np.ndim(x) == 0 and super().contains(np.asarray(x))


class BitcodeBytes(spaces.Space[NDArray[np.int8]]):
    """Bytes of bitcode: int8 of any length."""

    def __init__(self) -> None:
        super().__init__(None, np.int8)

    @property
    def is_np_flattenable(self) -> bool:
        """False: the length differs."""
        return False

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is an array of bytes."""
        return isinstance(x, np.ndarray) and x.dtype == np.int8 and x.ndim == 1

    def sample(self, mask: Any = None, probability: Any = None) -> NDArray[np.int8]:
        """Return random bytes, which are no bitcode."""
        return self.np_random.integers(-128, 128, 64, dtype=np.int8)


@dataclass(frozen=True)
class ObservationSpec:
    """One observation: its space and how it is computed."""

    id: str
    make_space: Callable[[], spaces.Space[Any]]
    compute: Callable[[Session], Any]
    platform_dependent: bool = False
    """Whether it measures machine code of x86-64."""

    @functools.cached_property
    def space(self) -> spaces.Space[Any]:
        """What its values are.

        Made when it is first asked for: the spaces of all observations take longer than a fork.
        """
        return self.make_space()

    @property
    def deterministic(self) -> bool:
        """Whether the same passes give the same: always."""
        return True

    def __str__(self) -> str:
        return self.id


def _text() -> list[ObservationSpec]:
    return [
        ObservationSpec("Ir", IRText, _anonymous_ir),
        ObservationSpec("IrSha1", _hexadecimal, _sha1),
        ObservationSpec(
            "Bitcode", BitcodeBytes, lambda session: np.frombuffer(session.bitcode(), np.int8)
        ),
    ]


def _hexadecimal() -> spaces.Text:
    digits = string.hexdigits.lower()[:16]
    return spaces.Text(min_length=_SHA1_DIGITS, max_length=_SHA1_DIGITS, charset=digits)


def _anonymous_ir(session: Session) -> str:
    return _NAMED.sub(_ANONYMOUS, session.ir(), count=1)


def _sha1(session: Session) -> str:
    return hashlib.sha1(_anonymous_ir(session).encode(), usedforsecurity=False).hexdigest()


def _vectors() -> list[ObservationSpec]:
    phase, count = feature_names("autophase"), feature_names("instcount")
    counts = tuple(f"{name}Count" for name in count)
    densities = tuple(f"{name}Density" for name in count[1:])
    return [
        ObservationSpec("Autophase", _vector(len(phase)), lambda s: s.features("autophase")),
        _by_name("AutophaseDict", phase, lambda s: s.features("autophase")),
        ObservationSpec("InstCount", _vector(len(count)), lambda s: s.features("instcount")),
        _by_name("InstCountDict", counts, lambda s: s.features("instcount")),
        # No upper bound of 1, which CompilerGym has: a module may have more functions than
        # instructions.
        ObservationSpec(
            "InstCountNorm",
            lambda: spaces.Box(0, np.inf, (len(densities),), dtype=np.float32),
            _densities,
        ),
        _by_name("InstCountNormDict", densities, _densities, np.float32),
    ]


def _vector(size: int) -> Callable[[], spaces.Box]:
    return lambda: spaces.Box(0, _MAX, (size,), dtype=np.int64)


def _by_name(
    name: str,
    keys: tuple[str, ...],
    compute: Callable[[Session], NDArray[Any]],
    dtype: type[np.int64] | type[np.float32] = np.int64,
) -> ObservationSpec:
    return ObservationSpec(
        name,
        lambda: spaces.Dict({key: Scalar(dtype) for key in keys}),
        lambda session: dict(zip(keys, compute(session), strict=True)),
    )


def _densities(session: Session) -> NDArray[np.float32]:
    counts = session.features("instcount").astype(np.float64)
    return np.divide(counts[1:], max(counts[0], 1.0)).astype(np.float32)


def _sizes(name: str, metric: str) -> list[ObservationSpec]:
    """Return a metric of the module as it is, and what clang's levels make of the program."""
    machine = metric == "text_size"

    def of_level(level: str) -> Callable[[Session], int]:
        return lambda session: session.reference(level, metric)

    now = ObservationSpec(
        f"{name}Bytes" if machine else name,
        Scalar,
        lambda session: session.measure(metric),
        machine,
    )
    levels = [
        ObservationSpec(f"{name}{level}", Scalar, of_level(level), machine) for level in _LEVELS
    ]
    return [now, *levels]


def standard_observations() -> dict[str, ObservationSpec]:
    """Return CompilerGym's observations that exist here, by name."""
    specs = [*_text(), *_vectors()]
    specs += _sizes("IrInstructionCount", "instruction_count")
    specs += _sizes("ObjectTextSize", "text_size")
    return {spec.id: spec for spec in specs}


class ObservationView:
    """``env.observation["X"]``: the module as it is now; also ``env.observation.X()``.

    Args:
        session: Gives the session of the episode.
    """

    def __init__(self, session: Callable[[], Session]) -> None:
        self._session = session
        self.spaces = standard_observations()
        """All observations by name."""

    def find(self, name: object) -> ObservationSpec:
        """Return an observation by its name.

        Raises:
            UnknownName: There is no such observation.
        """
        spec = self.spaces.get(str(name))
        if spec is None:
            raise UnknownName(unknown("observation space", str(name), self.spaces))
        return spec

    def __getitem__(self, name: str | ObservationSpec) -> Any:
        """Return an observation of the module as it is now.

        Raises:
            UnknownName: There is no such observation.
            gymnasium.error.ResetNeeded: There was no episode yet.
            CompilerError: LLVM cannot compute it.
        """
        return self.find(name).compute(self._session())

    def __getattr__(self, name: str) -> Callable[[], Any]:
        known = self.__dict__.get("spaces", {})
        if name not in known:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")
        return lambda: self[name]

    def add_derived_space(
        self,
        id: str,
        base_id: str,
        translate: Callable[[Any], Any],
        space: spaces.Space[Any],
    ) -> None:
        """Add an observation that is made of another one.

        Args:
            id: Its name.
            base_id: The observation that it is made of.
            translate: Makes it of that.
            space: What its values are.

        Raises:
            UnknownName: There is no observation ``base_id``.
            gymnasium.error.Error: There is an observation of this name.
        """
        base = self.find(base_id)
        if id in self.spaces:
            raise gym.error.Error(f"there is an observation {id!r} already. Choose another name.")
        self.spaces[id] = ObservationSpec(
            id,
            lambda: space,
            lambda session: translate(base.compute(session)),
            base.platform_dependent,
        )
