"""What becomes of the answers of `llm` at 0 compilations if -Oz is kept where it is unsure.

    python docs/experiments/llm_margin.py [--functions 600] [--model FOLDER]

For functions of the validation split, drawn with a fixed seed: how probable the first action of the
greedy answer is, and what its list makes of the function. Prints, for some least probabilities,
the improvement over -Oz and the shares of functions that get better and worse. Two minutes.
"""

from __future__ import annotations

import argparse
import math
import sys

import numpy as np
from llmopt_bench.agents.llm.agent import SHIPPED, answer_room
from llmopt_bench.agents.llm.answering import show
from llmopt_bench.agents.llm.decoding import greedy
from llmopt_bench.agents.llm.decoding_tree import Tree
from llmopt_bench.agents.llm.grammar import make_grammar
from llmopt_bench.agents.llm.loading import load
from llmopt_bench.agents.llm.local import LocalModel
from llmopt_bench.agents.llm.model import Sampling
from llmopt_bench.agents.llm.prompt import make_prompt

from llmopt_bench import Meter, PassOrderEnv, make_dataset

PASSES = 64
SURE = 1e-6
"""A token with nearly all of the probability: what stands before the first action."""
LEAST = (0.0, 0.1, 0.2, 0.25, 0.3, 0.4)


def of_first_action(tree: Tree) -> float:
    """Return the probability of the first token that is not certain."""
    node, answer = tree.root, greedy(tree)
    for token in answer.tokens:
        if node.logs[0] < -SURE:
            break
        node = node.children[token]
    return math.exp(node.logs[0])


def measure(uri: str, folder: str) -> tuple[int, int, float]:
    """Return instructions with -Oz and with the answer, and how sure the answer is."""
    env = PassOrderEnv(uri, meter=Meter(0))
    env.reset(seed=0)
    loaded = load(folder)
    prompt = make_prompt(loaded.prompt or "")
    model = LocalModel(loaded, make_grammar(prompt.name, env.action_set, PASSES))
    room = answer_room(model, prompt, env.action_set, PASSES)
    (view,) = show(env, prompt, model, room).views  # a function is one view
    (reply,) = model.write(
        prompt.request(view, env.action_set), Sampling(room, 1, 0.0, 1.0, 0, (" to ",))
    )
    passes = prompt.parse(reply.text, env.action_set).passes
    if passes is None or model._tree is None:
        raise RuntimeError(f"expected a list for {uri}, got {reply.text!r}")
    return env.oz, env.session.evaluate([passes])[0], of_first_action(model._tree[1])


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--functions", type=int, default=600)
    parser.add_argument("--model", default=str(SHIPPED))
    given = parser.parse_args()
    count = given.functions
    uris = sorted(make_dataset("corpus-validation-v1").uris())
    chosen = np.random.default_rng(3).permutation(len(uris))[:count]
    oz, new, sure = np.array([measure(uris[number], given.model) for number in chosen]).T
    sys.stdout.write(
        "| least probability | over -Oz | better | worse |\n| ---: | ---: | ---: | ---: |\n"
    )
    for least in LEAST:
        kept = np.where(sure >= least, new, oz)
        gain = 1 - kept.sum() / oz.sum()
        better, worse = np.mean(kept < oz), np.mean(kept > oz)
        sys.stdout.write(f"| {least} | {gain:+.2%} | {better:.1%} | {worse:.1%} |\n")


if __name__ == "__main__":
    main()
