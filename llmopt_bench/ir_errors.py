"""Why LLVM refuses IR text that a model wrote: the classes of arXiv 2309.07062, Table V."""

from __future__ import annotations

import re
from enum import StrEnum

NO_FUNCTION = "it defines no function"
"""What is said of text without any, which LLVM itself takes."""


class IrError(StrEnum):
    """A class of errors. The values are for counting in records.

    Which message belongs where is not in the paper, and the messages are those of LLVM 22, not 10;
    so the classes follow the names in its table, and two are of our own: ``DOMINANCE``, which the
    paper has among the others, and ``EMPTY``.
    """

    TYPE = "type"
    """Types that do not go together: an operand, an argument, a cast."""
    FORWARD_REFERENCE = "forward-reference"
    """A value was used, before its definition, with another type."""
    UNDEFINED_VALUE = "undefined-value"
    """A local value, label, type or piece of metadata that nothing defines."""
    UNDEFINED_FUNCTION = "undefined-function"
    """A function or global that is neither defined nor declared."""
    REDEFINITION = "redefinition"
    """A name or number that is taken."""
    SYNTAX = "syntax"
    """No IR, or IR that ends too early."""
    CONSTANT = "constant"
    """A constant that its type does not have."""
    INDEX = "index"
    """Indices into a type that has no such part."""
    DOMINANCE = "dominance"
    """A value is used where it is not computed on every way to there."""
    EMPTY = "empty"
    """There is no function; LLVM itself takes such a text."""
    OTHER = "other"


# Of the parser, in this order; the first one that fits the beginning of a message counts.
_PARSER = (
    (IrError.FORWARD_REFERENCE, r"instruction forward referenced"),
    (IrError.UNDEFINED_FUNCTION, r"use of undefined value '@|unknown (intrinsic|function)"),
    (IrError.UNDEFINED_VALUE, r"use of undefined "),
    (
        IrError.REDEFINITION,
        r"multiple definition|(invalid )?redefinition|\w+ expected to be numbered|unable to create",
    ),
    (IrError.INDEX, r"invalid (getelementptr )?indices|getelementptr (vector )?index"),
    (
        IrError.SYNTAX,
        r"[Ee]xpected |unexpected |unknown |(found )?end of file|missing required|function body",
    ),
    (
        IrError.CONSTANT,
        r"((integer|floating point|hexadecimal) )?constant |integer is too large|initializer |null "
        r"|.* constant( integer)?$|.*constexprs? |(array )?element |duplicate case|invalid empty",
    ),
    (
        IrError.TYPE,
        r".*\b(types?|operands?|parameters|arguments|pointers?|ptr|void|basic block|condition)\b"
        r"|(vector )?select|invalid cast",
    ),
)
_VERIFIER = (
    (IrError.DOMINANCE, r"Instruction does not dominate|Only PHI nodes may reference"),
    (IrError.INDEX, r".*\b(indices|index|GEP)\b"),
    (IrError.TYPE, r".*\b(types?|operands?|signature)\b"),
)
_NOTHING = ("the file is empty", NO_FUNCTION)
_PARSER_PLACE = re.compile(r"line \d+, column \d+: ")
_VERIFIER_PLACE = "it is not valid IR: "


def class_of_error(reason: str) -> IrError:
    """Return the class of what LLVM says about a text.

    Args:
        reason: The part of the message of ``BadProgram`` behind the name of the program.
    """
    if place := _PARSER_PLACE.match(reason):
        # What follows is the line of the text, which may say anything.
        return _first(_PARSER, reason[place.end() :].partition(": ")[0])
    if reason.startswith(_VERIFIER_PLACE):
        return _first(_VERIFIER, reason.removeprefix(_VERIFIER_PLACE))
    return IrError.EMPTY if reason in _NOTHING else IrError.OTHER


def _first(classes: tuple[tuple[IrError, str], ...], message: str) -> IrError:
    return next((kind for kind, said in classes if re.match(said, message)), IrError.OTHER)
