"""What a training of a language model computes: batches, the loss, the rate, sizes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llm_training import module

from llmopt_bench import BadTraining

torch: Any = pytest.importorskip("torch")
transformers: Any = pytest.importorskip("transformers")

batches, checkpoint, config = module("batches"), module("checkpoint"), module("config")
fit, network, token_files = module("fit"), module("network"), module("token_files")

IDS = token_files.TokenIds(begin=1, end=2, padding=0, code=3)
SETTINGS = config.LlmConfig(size="tiny", context=64, micro_tokens=128, batch_tokens=256, steps=9)


def made_file(count: int = 40) -> Any:
    """Examples of 8 to 47 tokens: 4 of the prompt, 2 of the list, the rest of the IR."""
    lengths = np.arange(8, 8 + count)
    starts = np.concatenate([[0], lengths.cumsum()])
    tokens = np.random.default_rng(0).integers(4, 64, starts[-1]).astype(np.uint16)
    begin = starts[:-1]
    spans = np.stack([begin, begin + 4, begin + 6, starts[1:]], 1)
    costs, before = np.empty((count, 0), np.float32), np.full(count, 100)
    return token_files.TokenFile(tokens, spans, costs, costs, before)


def examples_of(**changes: Any) -> Any:
    return batches.Examples(made_file(), IDS, replace(SETTINGS, **changes), 0)


def shape_of(size: str, vocabulary: int, context: int) -> Any:
    settings = replace(SETTINGS, size=size, context=context, micro_tokens=context)
    return network.model_config(settings, vocabulary, IDS)


def tiny_model() -> Any:
    return network.make_network(shape_of("tiny", 64, 64), 0)


def tiny_fit(folder: Path, **changes: Any) -> Any:
    model, settings = tiny_model(), replace(SETTINGS, **changes)
    plan, progress = checkpoint.Plan("float32", math.inf, ""), checkpoint.Progress()
    optimizer = fit.make_optimizer(model, settings)
    return fit.Fit(model, optimizer, settings, 0, plan, progress, (), None, folder, math.inf)


def losses_of(model: Any, batch: Any) -> Any:
    return network.token_losses(model, network.hidden_states(model, batch), batch)


def test_a_batch_weighs_prompt_list_and_ir() -> None:
    some = examples_of(prompt_weight=0.25, list_weight=2.0).batch(np.array([1, 0]))
    assert some.tokens.shape == (2, 10)
    assert some.tokens[0, -1] == some.tokens[1, -2] == IDS.end
    assert some.tokens[1, -1] == IDS.padding
    assert some.weights[0].tolist() == [0, 0.25, 0.25, 0.25, 2, 2, 1, 1, 1, 1]
    assert some.weights[1].tolist() == [0, 0.25, 0.25, 0.25, 2, 2, 1, 1, 1, 0]
    assert some.places.tolist() == [*range(9), *range(10, 18)]


def test_an_example_without_ir_ends_after_the_counts() -> None:
    chosen = examples_of(ir_task=0.0, list_weight=3.0)
    some = chosen.batch(np.array([5]))
    assert some.tokens.shape == (1, 7)
    assert some.tokens[0, -1] == IDS.end
    assert some.weights[0].tolist() == [0, 0, 0, 0, 3, 3, 3]
    assert chosen.without_ir == len(chosen) == 40


def test_what_is_too_long_loses_its_ir_or_is_left_out() -> None:
    # An example of n tokens needs n + 1; without IR, all need 7.
    chosen = examples_of(context=20)
    assert (len(chosen), chosen.without_ir, chosen.too_long) == (40, 28, 0)
    assert chosen.lengths.max() == 20
    nothing = examples_of(context=6)
    assert (len(nothing), nothing.too_long) == (0, 40)


def test_examples_by_totals_end_with_the_choice_which_is_all_that_counts() -> None:
    file, first = made_file(), (70, 71)
    file.tokens[file.spans[:, 1] + 1] = 71  # the second token of each answer
    totals = replace(file, tokens=file.tokens + 100 * (file.tokens < 64))
    settings = replace(
        SETTINGS, prompt="compact", portfolio="lists", functions=40, ir_task=0.0, totals_repeats=2
    )
    chosen = batches.Examples(file, IDS, settings, 0, first, totals)
    assert len(chosen) == 3 * 40
    some = chosen.batch(np.array([3, 43, 83]))
    whole, *by_totals = file.spans[[3, 3, 3]]
    assert some.tokens[0, :6].tolist() == file.tokens[whole[0] : whole[2]].tolist()
    for row, span in enumerate(by_totals, 1):
        expected = [*totals.tokens[span[0] : span[1] + 2], IDS.end]
        assert some.tokens[row].tolist() == expected
    assert some.tokens.shape[1] == 7
    assert some.choices.tolist() == [4, 7 + 4, 14 + 4]
    assert some.weights[0].tolist() == [0, 0, 0, 0, 1, 0, 1]
    assert not some.weights[1:].any()
    assert len(batches.Examples(file, IDS, replace(settings, totals_repeats=0), 0, first)) == 40


def test_examples_by_totals_may_have_their_whole_answer() -> None:
    file, first = made_file(), (70, 71)
    file.tokens[file.spans[:, 1]] = 70
    changes = {"prompt": "compact", "portfolio": "lists", "functions": 40, "ir_task": 0.0}
    settings = replace(SETTINGS, totals_repeats=1, totals_whole=True, list_weight=0.5, **changes)
    chosen = batches.Examples(file, IDS, settings, 0, first, file)
    some = chosen.batch(np.array([3, 43]))
    assert some.tokens[0].tolist() == some.tokens[1].tolist()
    assert some.weights.tolist() == [[0, 0, 0, 0, 0, 0.5, 0.5]] * 2


def test_a_batch_of_totals_alone_teaches_the_choice(tmp_path: Path) -> None:
    file, first = made_file(), (50, 51)
    file.tokens[file.spans[:, 1]] = 50
    costs = np.tile(np.array([1, 0.5], np.float32), (40, 1))
    file = replace(file, costs=costs, worse=np.zeros_like(costs))
    changes = {"prompt": "compact", "portfolio": "lists", "functions": 40, "ir_task": 0.0}
    training = tiny_fit(tmp_path, totals_repeats=1, **changes)
    training.first = first
    chosen = batches.Examples(file, IDS, training.config, 0, first, file)
    batch = chosen.batch(np.arange(40, 48))
    losses = [float(training._step([batch], 1e-2)[0]) for _ in range(8)]
    assert losses[-1] < losses[0] / 2
    hidden = network.hidden_states(training.model, batch)
    assert network.choose(training.model, hidden, batch, first).tolist() == [1] * 8


def test_shares_of_examples_and_of_ir() -> None:
    half = examples_of(share=0.5)
    assert 10 < len(half) < 30
    mixed = examples_of(ir_task=0.5)
    assert 10 < mixed.without_ir < 30
    assert len(mixed) == 40


def test_an_epoch_has_every_example_once_within_the_limits() -> None:
    chosen = examples_of()
    for epoch in (0, 1):
        steps = batches.epoch_of(chosen.lengths, SETTINGS, 7, epoch)
        found = [numbers for step in steps for numbers in step]
        assert sorted(np.concatenate(found)) == list(range(40))
        assert all(len(n) * chosen.lengths[n].max() <= 128 for n in found)
        sizes = [sum(int(chosen.lengths[n].sum()) for n in step) for step in steps]
        assert len(steps) == round(sum(sizes) / 256)
        assert max(sizes) < 2 * 256
    assert str(steps) == str(batches.epoch_of(chosen.lengths, SETTINGS, 7, 1))
    assert str(steps) != str(batches.epoch_of(chosen.lengths, SETTINGS, 8, 1))
    assert str(steps) != str(batches.epoch_of(chosen.lengths, SETTINGS, 7, 0))


def test_little_of_a_batch_is_padding() -> None:
    lengths = np.random.default_rng(0).integers(20, 900, 4000)
    settings = replace(SETTINGS, context=1024, micro_tokens=8192, batch_tokens=32768)
    steps = batches.epoch_of(lengths, settings, 0, 0)
    padded = sum(len(n) * lengths[n].max() for step in steps for n in step)
    assert padded < 1.02 * lengths.sum()


def test_examples_of_a_batch_do_not_see_each_other_nor_padding() -> None:
    chosen, model = examples_of(), tiny_model()
    together = losses_of(model, chosen.batch(np.array([3, 20, 11])))
    alone = [losses_of(model, chosen.batch(np.array([n]))) for n in (3, 20, 11)]
    for place in (0, 1):
        parts = torch.cat([pair[place] for pair in alone])
        torch.testing.assert_close(together[place], parts, rtol=1e-4, atol=1e-5)


def test_the_loss_is_that_of_transformers() -> None:
    model, some = tiny_model(), examples_of(prompt_weight=1.0).batch(np.array([9]))
    expected = model(input_ids=some.tokens, labels=some.tokens).loss
    losses, weights = losses_of(model, some)
    torch.testing.assert_close(losses.mean(), expected)
    assert weights.tolist() == [1.0] * (some.tokens.shape[1] - 1)


def test_batches_add_up_to_one_step(tmp_path: Path) -> None:
    chosen = examples_of(list_weight=2.0)
    pairs = [np.array([4, 5, 6]), np.array([20]), np.array([21, 30])]
    found = []
    for parts in (pairs, [np.concatenate(pairs)]):
        training = tiny_fit(tmp_path, list_weight=2.0)
        loss, norm = training._step([chosen.batch(part) for part in parts], 1e-3)
        found.append((loss, norm, next(iter(training.model.parameters())).detach()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def farthest(before: list[Any], model: Any) -> float:
    pairs = zip(before, model.parameters(), strict=True)
    return max(float((one - two.detach()).abs().max()) for one, two in pairs)


def test_the_gradient_is_clipped_and_the_rate_is_used(tmp_path: Path) -> None:
    chosen = examples_of()
    training = tiny_fit(tmp_path, clip=1e-30, decay=0.0)
    before = [p.detach().clone() for p in training.model.parameters()]
    training._step([chosen.batch(np.array([1]))], 1e-3)
    assert farthest(before, training.model) < 1e-15
    training = tiny_fit(tmp_path)
    training._step([chosen.batch(np.array([1]))], 1e-3)
    assert farthest(before, training.model) == pytest.approx(1e-3, rel=0.1)  # Adam's first step


def test_the_rate_warms_up_and_follows_a_cosine_to_a_tenth() -> None:
    settings = replace(SETTINGS, rate=2.0, warmup=0.2, final_rate=0.1)
    rates = [fit.rate_at(done, settings) for done in (0.0, 0.1, 0.2, 0.6, 1.0, 1.5)]
    assert rates == pytest.approx([0.0, 1.0, 2.0, 1.1, 0.2, 0.2])


@pytest.mark.parametrize(("size", "millions"), [("mini", 5.9), ("small", 15.7)])
def test_sizes(size: str, millions: float) -> None:
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(shape_of(size, 4095, 2048))
    assert model.num_parameters() / 1e6 == pytest.approx(millions, rel=0.01)
    assert 2 * model.num_parameters() < 40e6  # as bfloat16, in the package
    assert model.config.vocab_size == 4096


@pytest.mark.parametrize("prompt", ["paper", "compact"])
def test_a_model_says_which_prompt_it_has_learnt_from(prompt: str, tmp_path: Path) -> None:
    settings = replace(SETTINGS, size="tiny", prompt=prompt, ir_task=0.0)
    network.model_config(settings, 64, IDS).save_pretrained(tmp_path)
    assert transformers.AutoConfig.from_pretrained(tmp_path).llmopt_prompt == prompt


def test_the_largest_size_is_that_of_the_paper() -> None:
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(shape_of("7b", 32000, 2048))
    assert model.num_parameters() == 6_738_415_616  # Llama 2 7B


def test_operations_are_those_that_pytorch_counts() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model, some = tiny_model(), examples_of(prompt_weight=1.0).batch(np.array([39]))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        losses_of(model, some)
    # PyTorch does not count the attention of processors: in each of two layers, two products of
    # 48 x 48 half filled scores with 64 numbers.
    attention = 2 * 2 * (2 * 48 * 48 * 64) / 2
    expected = counter.get_total_flops() + attention
    assert network.flops_of(model.config, some) == pytest.approx(3 * expected, rel=1e-6)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    training = tiny_fit(tmp_path, log_every=1)
    with torch.no_grad():
        next(iter(training.model.parameters())).fill_(math.nan)
    with pytest.raises(BadTraining, match="step 1: expected a finite loss"):
        training.run(examples_of(), {}, lambda done, text: None)


FIRST = (60, 61, 62)
COSTS = np.array([[0.5, 0.4, 0.6], [0.5, 0.55, 0.5]], np.float32)


def chosen_batch(**changes: Any) -> Any:
    """Two examples whose answers are of three tokens, the second one the first action."""
    tokens = np.array([5, 6, 7, 8, 61, 9, 5, 6, 8, 60, 9], np.uint16)
    spans = np.array([[0, 3, 6, 6], [6, 8, 11, 11]])
    worse = np.array([[0, 0, 1], [0, 0.5, 0]], np.float32)
    file = token_files.TokenFile(tokens, spans, COSTS, worse, np.array([40, 20]))
    settings = replace(SETTINGS, **changes)
    return batches.Examples(file, IDS, settings, 0, FIRST).batch(np.array([0, 1]))


def test_the_choice_stands_before_the_first_action_and_has_a_loss_of_its_own() -> None:
    batch = chosen_batch(list_weight=1.0)
    assert batch.tokens.flatten()[batch.choices + 1].tolist() == [61, 60]
    assert batch.weights.flatten()[batch.choices + 1].tolist() == [0, 0]
    assert batch.weights.sum() == 2 * 3  # the answers and their ends, without the choices
    assert batch.costs.tolist() == COSTS.tolist()


def test_the_loss_of_the_choice_is_cross_entropy_and_expected_cost() -> None:
    model, batch = tiny_model(), chosen_batch()
    hidden = network.hidden_states(model, batch)
    logits = model.lm_head(hidden[batch.choices]).detach().double().numpy()
    above = COSTS.astype(float) - COSTS.min(1, keepdims=True)
    wanted = np.exp(-100 * above) / np.exp(-100 * above).sum(1, keepdims=True)
    known = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    among = np.exp(logits[:, FIRST]) / np.exp(logits[:, FIRST]).sum(1, keepdims=True)
    expected = -(wanted * known[:, FIRST]).sum(1) + 7 * (among * above).sum(1)
    losses = network.choice_losses(model, hidden, batch, FIRST, 7.0)
    assert losses.tolist() == pytest.approx(expected.tolist(), rel=1e-4)
    best = logits[:, FIRST].argmax(1)
    assert network.choose(model, hidden, batch, FIRST).tolist() == best.tolist()


def test_lists_that_are_worse_than_oz_cost_more() -> None:
    """Six instructions are 0.15 of 40, and 0.3 of 20, here with a probability of a half."""
    batch = chosen_batch()
    expected = [[0.5, 0.4, 0.75], [0.5, 0.7, 0.5]]
    assert network.with_regressions(batch, 6.0).numpy() == pytest.approx(np.array(expected))
    assert network.with_regressions(batch, 0.0).tolist() == batch.costs.tolist()


@pytest.mark.parametrize(("penalty", "chosen"), [(0.0, 1), (50.0, 0)])
def test_a_list_with_many_regressions_is_avoided(
    tmp_path: Path, penalty: float, chosen: int
) -> None:
    """One function gains much with list 1, and three lose a little."""
    file, first = made_file(), (50, 51)
    file.tokens[file.spans[:, 1]] = 50
    costs = np.array([[1, 0.6], [1, 1.02], [1, 1.02], [1, 1.02]] * 10, np.float32)
    file.tokens[:] = np.where(np.isin(file.tokens, first), file.tokens, 9)  # all look alike
    file = replace(file, costs=costs, worse=(costs > 1).astype(np.float32))
    changes = {"prompt": "compact", "portfolio": "lists", "functions": 40, "ir_task": 0.0}
    training = tiny_fit(tmp_path, regression_cost=penalty, **changes)
    training.first = first
    batch = batches.Examples(file, IDS, training.config, 0, first).batch(np.arange(8))
    for _ in range(12):
        training._step([batch], 1e-2)
    hidden = network.hidden_states(training.model, batch)
    assert network.choose(training.model, hidden, batch, first).tolist() == [chosen] * 8


def test_what_the_choice_is_worth_weighs_regressions_by_functions(tmp_path: Path) -> None:
    file, first = made_file(), (50, 51)
    file.tokens[:] = np.where(np.isin(file.tokens, first), 9, file.tokens)
    file.tokens[file.spans[:, 1]] = 50
    costs = np.array([[0.6, 1], [1.2, 1]] * 20, np.float32)
    file = replace(file, costs=costs, worse=costs, before=np.array([30, 10] * 20))
    changes = {"prompt": "compact", "portfolio": "lists", "functions": 40, "ir_task": 0.0}
    training = tiny_fit(tmp_path, **changes)
    examples = batches.Examples(file, IDS, training.config, 0, first)
    with torch.no_grad():
        training.model.model.norm.weight[:] = 0  # all are as probable, and the first is named
    training.first = first
    worth = training.worth(examples, 1)
    assert worth["validation_improvement"] == pytest.approx(1 / 0.9 - 1)
    assert worth["validation_regressed"] == pytest.approx(0.75)  # those of 10 instructions
