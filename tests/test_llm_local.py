"""Models that transformers loads: what they are asked for, and what is said of those that fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from llm_models import (
    CHAT,
    action_tokenizer,
    module,
    network_for,
    plain_tokenizer,
    save_model,
    torch,
    transformers,
)
from safetensors.torch import load_file, save_file

from llmopt_bench import BadModel, make_action_set

TEXT = "[code]\ndefine i32 @f(i32 %0) {\n  ret i32 %0\n}\n[/code]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a folder with a tiny model."""
    return save_model(tmp_path_factory.mktemp("models") / "tiny", action_tokenizer())


@pytest.fixture
def copy(folder: str, tmp_path: Path) -> Path:
    """Return a copy of the folder, to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def load(place: str | Path, dtype: str = "auto", *, constrained: bool = True) -> Any:
    return module("loading").load(str(place), dtype, constrained=constrained)


def model_in(folder: str, *, constrained: bool = True, **settings: Any) -> Any:
    grammar = module("grammar").make_grammar("paper", make_action_set(), 4) if constrained else None
    return module("local").LocalModel(load(folder, **settings), grammar)


def sampling(max_tokens: int = 24, **values: Any) -> Any:
    return module("model").Sampling(max_tokens, **values)


def test_a_process_loads_a_model_once(folder: str) -> None:
    assert load(folder) is load(folder)


def test_replies_are_those_of_the_network(folder: str) -> None:
    loaded = load(folder)
    given = loaded.tokenizer(TEXT, return_tensors="pt")
    expected = loaded.network.generate(**given, do_sample=False, max_new_tokens=10)
    text = loaded.tokenizer.decode(
        expected[0, given["input_ids"].shape[1] :], skip_special_tokens=True
    )
    model = model_in(folder, constrained=False)
    replies = model.write(TEXT, sampling(10, samples=2))
    assert [reply.text for reply in replies] == [text, text]


def test_a_model_is_held_to_its_grammar(folder: str) -> None:
    text = model_in(folder).write(TEXT, sampling(24))[0].text
    assert text.startswith(("Run passes ", "Run no passes to keep "))
    assert (
        not model_in(folder, constrained=False).write(TEXT, sampling(200))[0].text.startswith("R")
    )


def test_usage_adds_up(folder: str) -> None:
    model = model_in(folder)
    tokens = model.count(TEXT)
    assert tokens == len(load(folder).tokenizer(TEXT)["input_ids"])
    model.write(TEXT, sampling(stop=(" to ",)))
    assert (model.usage.calls, model.usage.tokens_in) == (1, tokens)
    out = model.usage.tokens_out
    assert 1 < out <= 24
    model.write(TEXT, sampling(stop=(" to ",), samples=3, temperature=1.0))
    assert (model.usage.calls, model.usage.tokens_in) == (2, tokens)  # it was read before
    model.write(TEXT + "more", sampling())
    assert model.usage.tokens_in > 2 * tokens
    assert model.usage.tokens_out > out


def test_replies_say_whether_they_were_cut(folder: str) -> None:
    model = model_in(folder)
    assert not model.write(TEXT, sampling(2))[0].complete
    assert model.write(TEXT, sampling(200))[0].complete


def test_priority_sampling_begins_with_the_greedy_reply(folder: str) -> None:
    model = model_in(folder)
    replies = model.by_priority(TEXT, sampling(stop=(" to ",)))
    texts = [next(replies).text for _ in range(8)]
    assert len(set(texts)) == 8
    assert texts[0] == model.write(TEXT, sampling(stop=(" to ",)))[0].text


def test_a_request_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    place = save_model(tmp_path / "short", action_tokenizer(), context=64)
    model = model_in(place)
    assert model.context == 64
    room = 64 - model.count(TEXT)
    assert model.write(TEXT, sampling(room))
    with pytest.raises(BadModel, match=rf"at most 64 tokens, got {64 - room} and {room + 1}"):
        model.write(TEXT, sampling(room + 1))


def test_messages_go_through_the_chat_template(folder: str, tmp_path: Path) -> None:
    tokenizer = plain_tokenizer()
    tokenizer.chat_template = CHAT
    message = module("prompt").Message
    request = message("system", "S"), message("user", "U"), message("assistant", "A")
    loaded = load(save_model(tmp_path / "chat", tokenizer))
    model = module("local").LocalModel(loaded)
    found = loaded.tokenizer.decode(model._tokens(request))
    assert found == "<system>S\n<user>U\n<assistant>A\n<assistant>"
    assert model.count(request) == len(model._tokens(request))
    assert model.write(request, sampling(3))
    with pytest.raises(BadModel, match="expected a chat template"):
        model_in(folder).count(request)


def test_bfloat16_gives_almost_the_same(folder: str) -> None:
    loaded = load(folder, "bfloat16")
    assert loaded.network.dtype == torch.bfloat16
    assert load(folder).network.dtype == torch.float32
    text = model_in(folder, dtype="bfloat16").write(TEXT, sampling(24))[0].text
    assert text.startswith("Run ")


def test_a_dtype_that_is_not_known(folder: str) -> None:
    with pytest.raises(ValueError, match="expected auto, float32 or bfloat16, got 'int3'"):
        load(folder, "int3")


def test_a_grammar_needs_a_model_that_was_loaded_for_it(folder: str) -> None:
    grammar = module("grammar").make_grammar("paper", make_action_set(), 4)
    with pytest.raises(BadModel, match="constrained=True"):
        module("local").LocalModel(load(folder, constrained=False), grammar)


def test_torch_gets_its_threads_back() -> None:
    before = torch.get_num_threads()
    with module("local").torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["/nowhere/model", "./model", "a/b/c", "~/no such", ""])
def test_a_missing_folder(name: str) -> None:
    with pytest.raises(BadModel, match=r"expected a folder, or the name of a model|config\.json"):
        load(name)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"expected a folder with config\.json"):
        load(tmp_path)


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BadModel, match=r"the hub gives no such model.*come llm-careful-v1, llm-v1"):
        load("some-organisation/no-such-model-of-ours")


@pytest.mark.parametrize(
    ("file", "text"),
    [("config.json", "{"), ("model.safetensors", "none"), ("tokenizer.json", "[")],
)
def test_a_damaged_file(copy: Path, file: str, text: str) -> None:
    (copy / file).write_text(text)
    with pytest.raises(BadModel, match=r"got .*Check the files of the folder"):
        load(copy)


def test_weights_that_are_missing(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    name = next(name for name in weights if "mlp" in name)
    del weights[name]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadModel, match=f"expected all weights, 1 are missing: {name}"):
        load(copy)


def test_weights_in_a_pickle_are_not_read(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    torch.save(weights, copy / "pytorch_model.bin")
    with pytest.raises(BadModel, match="safetensors"):
        load(copy)


def test_code_that_comes_with_a_model_is_not_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    kinds = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    config |= {"model_type": "own", "auto_map": kinds}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "own.py").write_text(f"open({str(copy / 'ran')!r}, 'w')")
    with pytest.raises(BadModel, match="Check the files of the folder"):
        load(copy)
    assert not (copy / "ran").exists()


def test_another_kind_of_model(tmp_path: Path) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=640, intermediate_size=32, **sizes)
    transformers.BertModel(config).save_pretrained(tmp_path)
    action_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(BadModel):
        load(tmp_path)


def test_a_model_whose_tokens_cannot_branch(tmp_path: Path) -> None:
    config = transformers.BloomConfig(vocab_size=640, hidden_size=32, n_layer=1, n_head=2)
    transformers.BloomForCausalLM(config).save_pretrained(tmp_path)
    action_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(BadModel, match="expected a transformer whose tokens can branch"):
        load(tmp_path)


def test_a_mask_that_is_not_heeded_is_noticed(folder: str) -> None:
    tokenizer = action_tokenizer()
    network = network_for(tokenizer)
    forward = network.forward

    def heedless(*args: Any, attention_mask: Any = None, **settings: Any) -> Any:
        return forward(*args, **settings)

    module("loading")._check_branches("good", network, tokenizer)
    network.forward = heedless
    with pytest.raises(BadModel, match="logarithms that are"):
        module("loading")._check_branches("bad", network, tokenizer)


def test_the_context_is_no_longer_than_the_window(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    assert module("loading").load(str(copy)).context == 2048
    config |= {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}
    (copy / "config.json").write_text(json.dumps(config | {"sliding_window": 100}))
    module("loading").load.cache_clear()
    assert module("loading").load(str(copy)).context == 100
