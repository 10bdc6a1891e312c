"""The 42 actions of CompilerGym's AutoPhase, and what stands for each in ``passes-v1``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """One action of the original, which are flags of LLVM 10's ``opt``."""

    flag: str
    action: str | None
    """Its name in ``passes-v1``; None where nothing stands for it."""
    note: str = ""
    """Why, wherever it is not the pass of the same name."""


_EXCEPTIONS = "Left out of passes-v1 since it changes what programs do; nothing is near it."
_NAMES_ONLY = "Changes names, debug info or metadata, never an instruction: a wasted compilation."

SLOTS = (
    Slot("adce", "adce"),
    Slot("break-crit-edges", "break-crit-edges"),
    Slot("constmerge", "constmerge"),
    Slot("correlated-propagation", "correlated-propagation"),
    Slot("deadargelim", "deadargelim"),
    Slot("dse", "dse"),
    Slot("early-cse", "early-cse"),
    Slot("functionattrs", "function-attrs", "Has a hyphen now."),
    Slot(
        "functionattrs",
        "rpo-function-attrs",
        "The original lists functionattrs twice, which gives an action without a use. The second "
        "one goes to the other half of the inference, from callers to callees.",
    ),
    Slot("globaldce", "globaldce"),
    Slot("globalopt", "globalopt"),
    Slot("gvn", "gvn"),
    Slot("indvars", "indvars"),
    Slot("inline", "inline"),
    Slot(
        "instcombine",
        "instcombine<no-verify-fixpoint;max-iterations=8>",
        "LLVM 10's went on to a fixpoint. Today's default is one iteration.",
    ),
    Slot("ipsccp", "ipsccp"),
    Slot("jump-threading", "jump-threading"),
    Slot("lcssa", "lcssa"),
    Slot("licm", "licm"),
    Slot("loop-deletion", "loop-deletion"),
    Slot("loop-idiom", "loop-idiom"),
    Slot("loop-reduce", "loop-reduce"),
    Slot("loop-rotate", "loop-rotate<header-duplication>", "The default, spelled out."),
    Slot("loop-simplify", "loop-simplify"),
    Slot("loop-unroll", "loop-unroll"),
    Slot(
        "loop-unswitch",
        "simple-loop-unswitch<nontrivial;trivial>",
        "LLVM 15 removed the old pass. Its successor does as much with nontrivial conditions.",
    ),
    Slot("lower-expect", "lower-expect"),
    Slot("loweratomic", None, _EXCEPTIONS),
    Slot("lowerinvoke", None, _EXCEPTIONS),
    Slot("lowerswitch", "lower-switch", "Has a hyphen now."),
    Slot("mem2reg", "mem2reg"),
    Slot("memcpyopt", "memcpyopt"),
    Slot("partial-inliner", "partial-inliner"),
    Slot(
        "prune-eh",
        None,
        "LLVM 16 removed it. function-attrs infers nounwind and simplifycfg makes invokes calls; "
        "both are here.",
    ),
    Slot("reassociate", "reassociate"),
    Slot("sccp", "sccp"),
    Slot(
        "simplifycfg",
        "simplifycfg<hoist-common-insts;sink-common-insts>",
        "LLVM 10's always hoisted what both branches begin with. This is the mildest action that "
        "still does; it sinks what they end with, too.",
    ),
    Slot("sink", "sink"),
    Slot("sroa", "sroa<modify-cfg>", "The default, spelled out."),
    Slot("strip", None, _NAMES_ONLY),
    Slot("strip-nondebug", None, _NAMES_ONLY),
    Slot("tailcallelim", "tailcallelim"),
)

ACTION_NAMES = tuple(slot.action for slot in SLOTS if slot.action is not None)
"""The actions of the agent, in order: a model's outputs are numbered by it."""
