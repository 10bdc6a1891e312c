r"""The second stage: a tokenizer for the IR of prompts and for answers.

Byte-level BPE, with three things of its own:

- A token may hold words, spaces and line ends together: IR is so regular that
  ``, align 8\n%`` deserves one. What differs from line to line is cut out first, and never merged
  with its neighbours: numbers (but for ``i32`` and ``align 8``), names and strings. That takes
  2.5 times fewer tokens than to cut at spaces, as GPT-2 does, with as large a vocabulary.
- Each action is one token, and so are the marks ``[code]`` and ``[/code]``. A list of k passes has
  2k - 1 tokens, with the commas, and the tokenizer reads back from plain text the tokens that the
  model was trained on. (Where an identifier in IR is spelt like an action, it gets that token too;
  the text stays the same.)
- Begin, end and padding are spelt so that no program has them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from llmopt_bench import ActionSet, BadTraining, PassList, make_action_set, write_whole

from ..compact_ir import compact_ir
from ..prompt import paper_answer
from .examples import Example, read_shards
from .stages import Stages

CODE, END_CODE = "[code]", "[/code]"
BEGIN, END, PADDING = "<|begin|>", "<|end|>", "<|padding|>"
_CUT = r'(?<![\w.]|align )\d+|(?<=[@%])[-\w.$]+|"[^"\n]*"'
"""What is cut out of the text: numbers, names and strings."""
_CUTS = {"paper": (_CUT, "isolated"), "compact": (r"\n", "merged_with_previous")}
"""How text is cut before tokens are learnt, by prompt: compact IR has whole lines as tokens."""
_LONGEST = 40
"""The most characters of a token that is learnt."""
_FILES = ("tokenizer.json", "tokenizer_config.json")


def make_tokenizer(stages: Stages) -> None:
    """Train the tokenizer, or take that of the model to start with; transformers reads it."""
    config, folder = stages.config, stages.folder("tokenizer")
    if config.start is not None:
        _take(Path(config.start), stages)
        return
    data = stages.results("data")
    stages.report("tokenizer")(0.0, f"{config.vocabulary:,} tokens")
    examples = islice(read_shards(data, "train"), config.tokenizer_functions)
    actions = make_action_set()
    tokenizer = train_tokenizer(examples, config.vocabulary, actions, config.prompt)
    fast_tokenizer: Any = PreTrainedTokenizerFast
    fast = fast_tokenizer(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PADDING,
        # Other values change the text that is decoded.
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    fast.save_pretrained(folder)
    digest = hashlib.sha256((folder / "tokenizer.json").read_bytes()).hexdigest()
    about = {"vocabulary": tokenizer.get_vocab_size(), "tokenizer_sha256": digest}
    stages.finish("tokenizer", about | {"functions": config.tokenizer_functions})


def _take(start: Path, stages: Stages) -> None:
    """Copy the tokenizer of a model to the last byte: the training compares them."""
    folder = stages.folder("tokenizer")
    try:
        contents = {name: (start / name).read_bytes() for name in _FILES}
        vocabulary = Tokenizer.from_str(contents[_FILES[0]].decode()).get_vocab_size()
    except Exception as error:  # tokenizers raises nothing more special
        raise BadTraining(
            f"{start}: expected a folder with a model and its tokenizer to start with. Name the "
            f"folder `model` of a training. {error}"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_whole(folder / name, content)
    digest = hashlib.sha256(contents[_FILES[0]]).hexdigest()
    stages.finish("tokenizer", {"vocabulary": vocabulary, "tokenizer_sha256": digest})


def train_tokenizer(
    examples: Iterable[Example], size: int, actions: ActionSet, prompt: str = "paper"
) -> Tokenizer:
    """Return a tokenizer that has learnt from examples.

    Args:
        examples: To learn from.
        size: Of the vocabulary.
        actions: Each of them becomes a token.
        prompt: Says what IR looks like.

    Raises:
        BadTraining: The vocabulary is too small for all bytes and actions.
    """
    learnt, special = size - len(actions) - 2, [PADDING, BEGIN, END]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    if learnt < len(alphabet) + len(special):
        needed = size - learnt + len(alphabet) + len(special)
        raise BadTraining(f"vocabulary: expected {needed} or more, got {size}. Raise it.")
    tokenizer = Tokenizer(models.BPE())
    pattern, behaviour = _CUTS[prompt]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behaviour),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=learnt,
        special_tokens=special,
        initial_alphabet=sorted(alphabet),
        max_token_length=_LONGEST,
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(examples, actions, prompt), trainer)
    whole = {"normalized": False, "special": False}
    tokenizer.add_tokens(
        [AddedToken(name, single_word=True, **whole) for name in actions.names]
        + [AddedToken(mark, **whole) for mark in (CODE, END_CODE)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", special_tokens=[(BEGIN, tokenizer.token_to_id(BEGIN))]
    )
    return tokenizer


def _texts(examples: Iterable[Example], actions: ActionSet, prompt: str) -> Iterator[str]:
    """Yield what to learn from: texts without what becomes a token by itself."""
    for example in examples:
        passes = PassList.parse(example.pass_list, actions)
        head = paper_answer(passes, example.before, example.after, None)
        yield from head.split(passes.compact) if passes else (head,)
        shown = compact_ir(example.ir) if prompt == "compact" else example.ir
        for ir in filter(None, (shown, example.optimised)):
            yield "\n" + ir.rstrip("\n") + "\n"  # as it is between the marks
