"""Good texts of every kind that the library reads, to be broken by tests."""

from __future__ import annotations

PASS_LISTS = (
    "",
    "function(sroa<modify-cfg>),globaldce,function(loop-mssa(licm))",
    "mem2reg simplifycfg, instcombine<no-verify-fixpoint;max-iterations=8>",
    "-mem2reg -instcombine -simplifycfg -O2",
    "opt -passes='function(gvn,loop(loop-rotate))' in.bc -o out.bc",
    "cgscc(inline,function<eager-inv>(sroa,early-cse<memssa>)),Oz",
)
TASKS = (
    'name = "mine"\nmetric = "text_size"\nbudget = 20\nprograms = ["bundled-v1/a", "file:///b.bc"]',
    'name = "b"\nmetric = "instruction_count"\nbudget = 0\ndataset = "csmith-v0"\nrepetitions = 3\n'
    'action_set = "passes-v1"\ndescription = """\ntwo\nlines"""',
)
ACTION_SETS = (
    """
    name = "mine-v1"
    llvm_major = 22
    [aliases]
    "promote" = "mem2reg"
    [[action]]
    name = "mem2reg"
    pipeline = "function(mem2reg)"
    level = "function"
    [[action]]
    name = "both"
    pipeline = "function(mem2reg,gvn),globaldce"
    level = "module"
    composite = true
    [[excluded]]
    name = "internalize"
    category = "cheats"
    reason = "It deletes the program."
    [[excluded_rule]]
    pattern = "print<.*>"
    category = "prints"
    reason = "It changes nothing."
    """,
)
AGENTS = (
    "random",
    "Oz",
    "llmopt_bench.agents.search.greedy:GreedySearch",
    "llmopt_bench.agent:AgentInfo.name",
    "builtins:min",
    "collections.abc:Sized",
)
SETTINGS = ("random.max_passes=10", "random.max_passes=[1, {}]", "random.a=1e999", "greedy.x=1")
