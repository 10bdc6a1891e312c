"""Why LLVM refuses a text: real messages of LLVM, by class."""

from __future__ import annotations

import pytest

from llmopt_bench._core import Module
from llmopt_bench.errors import BadProgram
from llmopt_bench.ir_errors import NO_FUNCTION, IrError, class_of_error

NAME = "x"
OUTSIDE = "declare void @g(i32)\n"
BRANCH = "br i1 %2, label %5, label %7\n5:\n%6 = add i32 1, 1\nbr label %7\n7:\nret i32 %6"


def function(body: str) -> str:
    return "define i32 @f(i32 %0, ptr %1, i1 %2, float %3) {\n" + body + "\n}\n"


def reason_of(ir: str) -> str:
    with pytest.raises(BadProgram) as refused:
        Module.read(ir.encode(), NAME)
    return str(refused.value).partition(f"got {NAME}: ")[2]


@pytest.mark.parametrize(
    ("kind", "ir"),
    [
        ("type", function("ret i64 %0")),
        ("type", function("ret void")),
        ("type", function("%5 = icmp eq float %3, %3\nret i32 0")),
        ("type", function("%5 = zext i32 %0 to i8\nret i32 0")),
        ("type", function("br i32 %0, label %5, label %5\n5:\nret i32 0")),
        ("type", function("%5 = load i32, i32 %0\nret i32 %5")),
        ("type", function("%5 = select i32 %0, i32 1, i32 2\nret i32 %5")),
        ("type", function("br label %0")),
        ("type", function("call void @g(i32 %3)\nret i32 0") + OUTSIDE),
        ("type", function("call void (i32) @g(i32 1, i32 2)\nret i32 0") + OUTSIDE),
        ("type", function("%5 = call void @g(i32 1)\nret i32 0") + OUTSIDE),
        ("type", function("%5 = extractelement i32 %0, i32 0\nret i32 0")),
        ("forward-reference", function("%5 = add i32 %6, 1\n%6 = add i64 0, 1\nret i32 %5")),
        ("undefined-value", function("ret i32 %9")),
        ("undefined-value", function("br label %9")),
        ("undefined-value", function("ret i32 0, !dbg !3")),
        ("undefined-function", function("call void @g()\nret i32 0")),
        ("undefined-function", function("%5 = load i32, ptr @type\nret i32 %5")),
        ("redefinition", function("%5 = add i32 1, 1\n%5 = add i32 1, 1\nret i32 %5")),
        ("redefinition", function("%a = add i32 1, 1\n%a = add i32 1, 1\nret i32 0")),
        ("redefinition", function("br label %6\n5:\nret i32 0\n5:\nret i32 0")),
        ("redefinition", function("ret i32 0") * 2),
        ("redefinition", "@g = global i32 0\n@g = global i32 1\n"),
        ("redefinition", "define void @f(i32 %a, i32 %a) {\nret void\n}"),
        ("syntax", "Here is the code:"),
        ("syntax", "é"),
        ("syntax", function("%5 = add i32 1,")[:-3]),
        ("syntax", function("%5 = addd i32 1, 1\nret i32 0")),
        ("syntax", function("%5 = add i32 1 1\nret i32 0")),
        ("syntax", '@g = constant [2 x i8] c"a'),
        ("syntax", "define void @f() {\n}"),
        ("constant", function("%5 = add float 1, 1\nret i32 0")),
        ("constant", function("%5 = fadd float 3.1, %3\nret i32 0")),
        ("constant", function("ret i32 null")),
        ("constant", function("ret i32 true")),
        ("constant", function("ret label zeroinitializer")),
        ("constant", function("ret i32 mul (i32 1, i32 2)")),
        ("constant", "@g = constant [2 x i8] [i8 1, i32 2]"),
        ("constant", "@g = constant {i8, i8} {i8 1}"),
        ("constant", function("switch i32 %0, label %5 [i32 %0, label %5]\n5:\nret i32 0")),
        ("index", function("%5 = getelementptr {i32}, ptr %1, i32 0, i32 4\nret i32 0")),
        ("index", function("%5 = getelementptr {i32}, ptr %1, i32 0, float %3\nret i32 0")),
        ("index", function("%5 = extractvalue {i32} zeroinitializer, 3\nret i32 0")),
        ("dominance", function(BRANCH)),
        ("dominance", function("%5 = add i32 %5, 1\nret i32 %5")),
        ("empty", ""),
        # The parser quotes the line, which is not what it complains of.
        ("other", function("%5 = load i32, ptr %1, align 3 ; type\nret i32 %5")),
        ("other", function("br label %a\na:\nbr label %4")),
    ],
)
def test_class(kind: str, ir: str) -> None:
    reason = reason_of(ir)
    assert class_of_error(reason) == kind, reason


def test_what_llvm_does_not_say_itself() -> None:
    assert class_of_error(NO_FUNCTION) == IrError.EMPTY
    assert class_of_error("LLVM crashed") == IrError.OTHER
    assert class_of_error("line 1, column 1: LLVM 23 says this: ret i64 type") == IrError.OTHER


def test_every_class_is_met_above() -> None:
    (marked,) = [mark for mark in test_class.pytestmark if mark.name == "parametrize"]
    assert {kind for kind, _ in marked.args[1]} == set(IrError)
