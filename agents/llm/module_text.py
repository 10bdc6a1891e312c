"""IR text taken apart by function, without LLVM.

Works on IR as LLVM prints it and as ``Session.ir(normalized=True)`` gives it: there a definition
begins a line with ``define`` and ends with a line that is ``}``, and everything else at the top
level is one line, or one line with what belongs to it below.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_SYMBOL = re.compile(r'[@%#!$](?:"[^"]*"|[-\w.$]+)', re.ASCII)
_DEFINED = re.compile(r'define\b.*?(@(?:"[^"]*"|[-\w.$]+))\(', re.ASCII)
_DECLARED = re.compile(r'declare\b.*?(@(?:"[^"]*"|[-\w.$]+))\(', re.ASCII)
_NAMED = re.compile(r'([@%!$](?:"[^"]*"|[-\w.$]+)) = |attributes (#[0-9]+) = ', re.ASCII)
_ALIAS = re.compile(r'@(?:"[^"]*"|[-\w.$]+) = (?:[a-z_]+ )*(?:alias|ifunc) ', re.ASCII)
_ALWAYS = ("target ", "source_filename ")
_LINKAGE = re.compile(
    r"\b(?:private|internal|available_externally|linkonce|weak|common|linkonce_odr|weak_odr) "
)


@dataclass(frozen=True, slots=True)
class Function:
    """A definition in a module."""

    name: str
    """With its ``@``."""
    lines: tuple[str, ...]
    """From ``define`` to ``}``."""


@dataclass(frozen=True, slots=True)
class ModuleText:
    """A module taken apart."""

    functions: tuple[Function, ...]
    """The definitions, in order."""
    entries: Mapping[str, str]
    """What else has a name, by that name: types, variables, declarations, attributes, metadata."""
    always: tuple[str, ...]
    """Lines that belong to every part: the target."""

    def alone(self, function: Function) -> str:
        """Return a function as a module of its own, without a newline at the end.

        What it mentions comes before it, and what that mentions, as it stands in the module. Other
        functions of the module are declared, and aliases, which need their definitions, become
        external variables.
        """
        stubs = {other.name: _declaration(other) for other in self.functions}
        known = {**self.entries, **stubs}
        wanted: dict[str, None] = {}
        waiting = _mentions(function.lines)
        while waiting:
            name = waiting.pop()
            if name in known and name not in wanted and name != function.name:
                wanted[name] = None
                waiting.extend(_mentions([known[name]]))
        before = [text for name, text in known.items() if name in wanted]
        return "\n".join([*self.always, *before, *function.lines])


def take_apart(ir: str) -> ModuleText:
    """Return the parts of a module's IR text."""
    functions: list[Function] = []
    entries: dict[str, str] = {}
    always: list[str] = []
    body: list[str] = []
    name = ""
    for line in ir.splitlines():
        if body:
            body.append(line)
            if line == "}":
                functions.append(Function(_function_name(body[0]), tuple(body)))
                body = []
        elif line.startswith("define "):
            body, name = [line], ""
        elif line.startswith(_ALWAYS):
            always.append(line)
        elif found := _NAMED.match(line) or _DECLARED.match(line):
            name = str(found[found.lastindex or 1])
            entries[name] = f"{name} = external global i8" if _ALIAS.match(line) else line
        elif name and line and not line.startswith(";"):
            entries[name] += f"\n{line}"
    return ModuleText(tuple(functions), entries, tuple(always))


def _function_name(line: str) -> str:
    found = _DEFINED.match(line)
    return found[1] if found else ""


def _mentions(lines: Iterable[str]) -> list[str]:
    """Return the names in some lines, with that of the comdat where a line only says that."""
    found: list[str] = []
    for line in lines:
        symbols: list[str] = _SYMBOL.findall(line)
        found += symbols
        if " comdat" in line:
            found += ["$" + symbol[1:] for symbol in symbols if symbol[0] == "@"][:1]
    return found


def _declaration(function: Function) -> str:
    """Return the declaration of a function that is defined."""
    head = function.lines[0]
    begin = head.find(function.name + "(") + len(function.name)
    depth = 0
    for end in range(begin, len(head)):
        depth += (head[end] == "(") - (head[end] == ")")
        if depth == 0:
            break
    else:
        end = len(head)
    signature = head[len("define ") : begin]
    return f"declare {_LINKAGE.sub('', signature)}{head[begin : end + 1]}"
