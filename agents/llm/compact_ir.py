"""IR in few words: what a small model needs in order to choose passes, in a sixth of the tokens.

Written for normalised IR (``Session.ir(normalized=True)``), where values have numbers. One line is
one instruction, as ``<opcode> <type> <operands>``:

- A value is named by how many values ago it was computed (``^1`` is the last one), so that the
  same idiom is the same text wherever it stands. Stack slots are ``a0``, ``a1``, ..., parameters
  ``p0``, ...; blocks are ``b0``, ... in the order in which they are first mentioned.
- Symbols are ``f0``, ... for what is called and ``g0``, ... for the rest; LLVM's own functions keep
  their names, without ``llvm.`` and the types at the end.
- Of the types of an instruction the first one stays, and the last one of a cast. Structures are
  ``agg``, arrays ``arr``, vectors ``vec``.
- Numbers of more than four characters are told by their length: ``#9``.
- Left out: declarations, types, variables and their contents, attributes, alignment, ``inbounds``
  and the like, commas and brackets. Comments stay.
- At the end stands how many instructions there are in all, of each opcode, how many blocks and
  branches back to a block above, the most frequent first: ``load 7`` means about 2 to the power of
  7 / 2. Small models do not learn to count.

It cannot be turned back into IR. Nothing here raises: text that is not IR gives some text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import log2

_NESTED = (
    (re.compile(r"<?\{[^{}]*\}>?"), "agg"),
    (re.compile(r"\[\d+ x [^\[\]]*\]"), "arr"),
    (re.compile(r"<(?:vscale x )?\d+ x [^<>]*>"), "vec"),
    (re.compile(r'%(?:"[^"]*"|[A-Za-z$._][-\w$.]*)'), "agg"),  # values have numbers here
)
_TOKEN = re.compile(r'c?"[^"]*"|[@%]?"[^"]*"|[@%][-\w.$]+\(?|-?\d[-+\w.]*|[A-Za-z_.][-\w.]*|#\d+')
_TYPE = re.compile(
    r"(?:i\d+|ptr|float|double|half|bfloat|x86_fp80|fp128|agg|arr|vec|void|label|metadata|token)\Z"
)
_LABEL = re.compile(r"(\d+):")
_INTRINSIC = re.compile(r"@llvm\.([-\w.]*?)(?:\.(?:s_\w*|[pifvna]+x?[pifvx\d]*\d[\w.]*))*\(?\Z")
_PARAMETER = re.compile(r"%(\d+)")
_LEFT_OUT = frozenset(
    "inbounds nuw nsw nusw exact disjoint nneg samesign dso_local noundef signext zeroext nonnull "
    "tail musttail notail to label".split()
)
_SHORT = {"getelementptr": "gep"}
_ALL = "all"
"""The name of the number of all instructions, of which there are most."""
_DIGITS = 4
"""A number with more characters is told by how many it has: ``#9``."""


@dataclass
class _Names:
    """Names of the values, blocks and symbols of a function."""

    values: dict[str, str | int] = field(default_factory=dict)
    """By number in the IR: a name, or which computed value it is."""
    blocks: dict[str, str] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    above: set[str] = field(default_factory=set)
    """The blocks that have begun."""
    computed: int = 0
    slots: int = 0

    def block(self, number: str) -> str:
        return self.blocks.setdefault(number, f"b{len(self.blocks)}")

    def local(self, text: str) -> str:
        number = text.strip("%(")
        known = self.values.get(number)
        if known is None:
            return self.block(number)
        return known if isinstance(known, str) else f"^{self.computed - known}"

    def symbol(self, text: str) -> str:
        if found := _INTRINSIC.match(text):
            return found[1]
        kind = "f" if text.endswith("(") else "g"
        return self.symbols.setdefault(text, f"{kind}{len(self.symbols)}")

    def define(self, number: str, opcode: str) -> None:
        """Give a name to what an instruction computes."""
        if opcode == "alloca":
            self.values[number] = f"a{self.slots}"
            self.slots += 1
        else:
            self.values[number] = self.computed
            self.computed += 1


def compact_ir(ir: str) -> str:
    """Return the functions of a module in few words, without a newline at the end.

    Args:
        ir: Normalised IR text.
    """
    lines: list[str] = []
    totals: Counter[str] = Counter()
    names: _Names | None = None
    for line in ir.split("\n"):
        if line.startswith(";"):
            lines.append(line)
        elif line.startswith("define"):
            names = _Names()
            lines.append(_head(_flat(line), names))
        elif line.startswith("}"):
            names = None
            lines.append("}")
        elif names is not None and line:
            lines.append(_line(line, names))
            totals.update(_counted(lines[-1], names))
    return "\n".join(line for line in [*lines, _classes(totals)] if line)


def compact_totals(ir: str) -> str:
    """Return the last line of ``compact_ir`` alone; empty where no function has instructions."""
    last = compact_ir(ir).rpartition("\n")[2]
    return last if last.startswith(f"{_ALL} ") else ""


def _counted(line: str, names: _Names) -> Iterator[str]:
    """Yield what is counted of a line of this text."""
    opcode, *operands = line.split(" ")
    if opcode.endswith(":"):
        names.above.add(opcode[:-1])
        yield "block"
    elif opcode:
        yield from (_ALL, opcode)
        yield from ("back" for name in operands if opcode == "br" and name in names.above)


def _classes(totals: Counter[str]) -> str:
    """Return how often something occurs, in steps of the square root of 2."""
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return " ".join(f"{name} {round(2 * log2(count))}" for name, count in ordered)


def _flat(line: str) -> str:
    """Return a line with one word for each type that has parts."""
    for pattern, word in _NESTED:
        before = ""
        while before != line:
            before, line = line, pattern.sub(word, line)
    return line


def _head(line: str, names: _Names) -> str:
    result, _, rest = line.partition("@")
    parameters = rest.partition("(")[2]
    for place, number in enumerate(_PARAMETER.findall(parameters)):
        names.values[number] = f"p{place}"
    types = [
        [word for word in _TOKEN.findall(text) if _TYPE.match(word)]
        for text in (result, parameters)
    ]
    return " ".join(["define", *types[0][-1:], *types[1]])


def _line(line: str, names: _Names) -> str:
    if found := _LABEL.match(line):
        return names.block(found[1]) + ":"
    words = _TOKEN.findall(_flat(line))
    result = None
    if words and words[0].startswith("%") and " = " in line:
        result, words = words[0][1:], words[1:]
    words = [word for word in words if word not in _LEFT_OUT and word[0] not in '#"']
    if not words:
        return ""
    text = " ".join(_operands(words, names))
    if result is not None:
        names.define(result, words[0])
    return text


def _operands(words: list[str], names: _Names) -> list[str]:
    """Return the words of an instruction, with the names of this text."""
    kept: list[str] = []
    typed = words[0] in ("br", "switch")  # whose first type says nothing
    skip = False
    for word, after in pairwise([*words, ""]):
        if skip or word == "align":
            skip = not skip
        elif _TYPE.match(word):
            if not typed or not after or _TYPE.match(after):
                kept.append(word)
            typed = True
        elif word[0] == "%":
            kept.append(names.local(word))
        elif word[0] == "@":
            kept.append(names.symbol(word))
        elif word[0] in "-0123456789":
            kept.append(word if len(word) <= _DIGITS else f"#{len(word)}")
        elif '"' not in word:
            kept.append(_SHORT.get(word, word))
    return kept
