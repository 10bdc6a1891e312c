"""The draft of a card: what records know is filled in, and the rest has to be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from submitting import FILLED, real_records

from llmopt_bench import Record
from llmopt_bench.card import read_card
from llmopt_bench.card_template import card_template
from llmopt_bench.errors import BadCard


@pytest.fixture(scope="module")
def honest() -> list[Record]:
    return real_records()


class TestTemplate:
    def test_it_is_no_card_until_it_is_filled_in(
        self, honest: list[Record], tmp_path: Path
    ) -> None:
        path = tmp_path / "card.toml"
        path.write_text(card_template(honest), "utf-8")
        for empty, filled in FILLED.items():
            with pytest.raises(BadCard):
                read_card(path)
            path.write_text(path.read_text("utf-8").replace(empty, filled), "utf-8")
        card = read_card(path)
        assert (card.agent, card.version, card.seeds, card.trained_on) == ("random", "1", (0,), ())
        assert "--agents random --set random.max_passes=45" in card.command
        assert card.command.endswith("--budget 4 --seed 0")

    def test_it_names_all_runs_and_what_they_learnt_from(self, honest: list[Record]) -> None:
        text = card_template(
            [replace(honest[0], seed=3), replace(honest[1], budget=9, trained_on=("b", "a"))]
        )
        assert "seeds = [0, 3]\n" in text
        assert 'trained_on = ["a", "b"]' in text
        assert "--budget 4 --seed 3 && llmopt-bench run" in text
        assert "training_compilations = -1" in text  # to be filled in

    @pytest.mark.parametrize("name", ["my_module:run", "a b", "1!2", ""])
    @pytest.mark.parametrize("field", ["agent", "agent_version"])
    def test_a_name_that_no_entry_can_have(
        self, honest: list[Record], field: str, name: str
    ) -> None:
        record = replace(honest[0], **{field: name or "x" * 61})
        with pytest.raises(BadCard, match="Register the agent under such a name"):
            card_template([record])
