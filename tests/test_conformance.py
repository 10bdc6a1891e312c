"""Our features against CompilerGym's, on the same bitcode.

LLVM 22 changes bitcode of LLVM 10 while it reads it. Every difference that comes from that is
predicted from the module; nothing is tolerated.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from llmopt_bench._core import Module, autophase_names, instcount_names

SHIPPED = Path(__file__).parent / "data" / "conformance"
FOLDER = Path(os.environ.get("LLMOPT_CONFORMANCE", SHIPPED))
EXPECTED = json.loads((FOLDER / "features.json").read_text("utf-8"))


def read(name: str) -> Module:
    return Module.read((FOLDER / f"{name}.bc").read_bytes(), name)


def autophase(module: Module, native: bool = False) -> dict[str, int]:
    out = np.empty(len(autophase_names()), np.int64)
    module.autophase(out, native=native)
    return dict(zip(autophase_names(), out.tolist(), strict=True))


def instcount(module: Module, native: bool = False) -> dict[str, int]:
    names = instcount_names(native=native)
    out = np.empty(len(names), np.int64)
    module.instcount(out, native=native)
    return dict(zip(names, out.tolist(), strict=True))


def lifetimes_of_one_byte(text: str) -> int:
    """Count the lifetime markers whose size argument was `i64 1`: those of one-byte allocas."""
    types = dict(re.findall(r"^(%\S+) = type (.*)$", text, re.MULTILINE))

    def is_byte(name: str) -> bool:
        name = types.get(name, name)
        inner = re.fullmatch(r"\[1 x (.*)\]|\{ ([^,]*) \}", name)
        return is_byte(inner[1] or inner[2]) if inner else name == "i8"

    found = 0
    for function in re.split(r"^define ", text, flags=re.MULTILINE)[1:]:
        allocas = dict(re.findall(r"^  (%\S+) = alloca (.*), align \d+$", function, re.MULTILINE))
        markers = re.findall(r"@llvm\.lifetime\.\w+\.p0\(ptr (?:nonnull )?(%[^)]*)\)", function)
        found += sum(is_byte(allocas[pointer]) for pointer in markers)
    return found


def drift(module: Module) -> tuple[Counter[str], Counter[str]]:
    """Return what reading with LLVM 22 adds to each feature: Autophase, then InstCount."""
    text = module.text()
    both: Counter[str] = Counter()
    phase: Counter[str] = Counter()
    count: Counter[str] = Counter()

    # Lifetime markers lost their first argument, the size of the object as an i64, ...
    phase["const64Bit"] -= len(re.findall(r"call void @llvm\.lifetime\.", text))
    phase["numConstOnes"] -= lifetimes_of_one_byte(text)
    # ... and their calls go to a new overload, beside the declaration of the old one.
    both["TotalFuncs"] += len(re.findall(r"^declare void @llvm\.lifetime\.\w+\.p0\(", text, re.M))

    # icmp and zext are no constant expressions any more; each use becomes an instruction.
    expanded = Counter(re.findall(r"^  %constexpr\d* = (\w+) ", text, re.MULTILINE))
    assert expanded.keys() <= {"icmp", "zext"}
    both["TotalInsts"] += expanded.total()
    phase["NumICmpInst"] = count["ICmp"] = expanded["icmp"]
    phase["NumZExtInst"] = count["ZExt"] = phase["testUnary"] = expanded["zext"]
    return merged(both, phase), merged(both, count)


def merged(one: Counter[str], other: Counter[str]) -> Counter[str]:
    total = Counter(one)
    total.update(other)
    return total


def differences(expected: list[int], actual: dict[str, int]) -> dict[str, int]:
    pairs = zip(actual.items(), expected, strict=True)
    return {name: ours - theirs for (name, ours), theirs in pairs if ours != theirs}


def without_zeros(values: Counter[str]) -> dict[str, int]:
    return {name: value for name, value in values.items() if value}


@pytest.mark.parametrize("name", EXPECTED)
def test_features_differ_from_llvm_10_exactly_as_its_reader_changed(name: str) -> None:
    module = read(name)
    phase, count = drift(module)
    assert differences(EXPECTED[name]["autophase"], autophase(module)) == without_zeros(phase)
    assert differences(EXPECTED[name]["instcount"], instcount(module)) == without_zeros(count)
    more = module.instruction_count() - EXPECTED[name]["ir_instruction_count"]
    assert more == count["TotalInsts"]


def test_the_shipped_vectors_use_every_feature_and_every_kind_of_drift() -> None:
    shipped = json.loads((SHIPPED / "features.json").read_text("utf-8"))
    used = np.any([vector["autophase"] for vector in shipped.values()], axis=0)
    assert used.all()
    seen = set()
    for name in shipped:
        phase, _ = drift(Module.read((SHIPPED / f"{name}.bc").read_bytes(), name))
        seen |= without_zeros(phase).keys()
    assert seen == {
        *("const64Bit", "numConstOnes", "TotalFuncs"),
        *("NumICmpInst", "NumZExtInst", "TotalInsts", "testUnary"),
    }


TRICKY = {
    **dict.fromkeys(["BBNumArgsHi", "BBHiPhi", "morePreds", "onePredTwoSuc", "BlockMid"], 0),
    **dict.fromkeys(["const64Bit", "binaryConstArg", "returnInt", "twoSuccessor"], 1),
    **dict.fromkeys(["onePredOneSuc", "twoPredOneSuc", "twoEach"], 1),
    **dict.fromkeys(["onePred", "oneSuccessor", "BB03Phi", "BBNumArgsLo", "BeginPhi"], 2),
    **dict.fromkeys(["UncondBranches", "numConstZeroes"], 2),
    **dict.fromkeys(["TotalFuncs", "twoPred", "BranchCount", "testUnary"], 3),
    **dict.fromkeys(["BBNoPhi", "ArgsPhi"], 4),
    **dict.fromkeys(["TotalBlocks", "BlockLow", "TotalMemInst"], 6),
    **{"CriticalCount": 5, "numConstOnes": 8, "NumEdges": 8, "const32Bit": 15, "TotalInsts": 19},
}


def test_corner_cases() -> None:
    module = Module.read((SHIPPED / "tricky.ll").read_bytes(), "tricky")
    values = autophase(module)
    assert {name: values[name] for name in TRICKY} == TRICKY
    counts = instcount(module)
    assert [counts[n] for n in ("TotalInsts", "TotalBlocks", "TotalFuncs")] == [19, 6, 3]
    assert (counts["Freeze"], counts["Switch"], counts["PHI"], counts["FNeg"]) == (1, 1, 2, 1)


def test_native_features_are_those_of_todays_llvm() -> None:
    module = Module.read((SHIPPED / "tricky.ll").read_bytes(), "tricky")
    now, then = autophase(module, native=True), autophase(module)
    assert {n: (then[n], now[n]) for n in now if now[n] != then[n]} == {
        "const32Bit": (15, 12),  # the values of the switch
        "numConstOnes": (8, 7),
        "testUnary": (3, 4),  # freeze
    }
    assert len(instcount(module)) == 70
    assert set(instcount_names(native=True)) - set(instcount_names()) == {"PtrToAddr"}


def test_ptrtoaddr_counts_as_the_ptrtoint_it_was() -> None:
    module = Module.read(
        b"define i64 @f(ptr %p) {\n %a = ptrtoaddr ptr %p to i64\n ret i64 %a\n}", "addr"
    )
    assert instcount(module)["PtrToInt"] == 1
    assert instcount(module, native=True)["PtrToInt"] == 0
    assert instcount(module, native=True)["PtrToAddr"] == 1
