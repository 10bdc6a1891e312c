"""The page of a task in a real browser: what a reader can do with it."""

from __future__ import annotations

from typing import Any

import pytest
from made_boards import PROGRAMS, answer_of, made_board, oz_of

pytest.importorskip("jinja2", reason="needs the extra site")
pytest.importorskip("playwright.sync_api", reason="needs Playwright")

from playwright.sync_api import expect

pytest_plugins = ("board_window",)

BY_SIZE = sorted(range(len(PROGRAMS)), key=oz_of)


def rows(page: Any) -> Any:
    return page.locator("#board tbody:not([hidden]) tr.standing:not([hidden])")


def agents(page: Any) -> list[str]:
    return [text.split()[0] for text in rows(page).locator(".agent").all_inner_texts()]


def column(page: Any, key: str) -> list[str]:
    number = page.locator(f"th[data-column={key}]").evaluate("cell => cell.cellIndex")
    return [str(text) for text in rows(page).locator(f":nth-child({number + 1})").all_inner_texts()]


def pick(page: Any, agent: str) -> None:
    page.get_by_label(f"Compare {agent} 1").locator("visible=true").check()


def drawn_in(canvas: Any, *heights: float) -> list[list[bool]]:
    """Say for each program whether something is drawn at some heights of its column."""
    found = canvas.evaluate(
        """(canvas, [count, heights]) => {
          const { width, height } = canvas;
          const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
          const solid = (x, y) => data[4 * (Math.round(y) * width + Math.round(x)) + 3] > 0;
          return Array.from({length: count}, (_, at) =>
            heights.map((share) => solid((at + 0.5) * width / count, share * height)));
        }""",
        [len(PROGRAMS), heights],
    )
    return [list(map(bool, column)) for column in found]


class TestTable:
    def test_it_begins_with_everybody_in_the_order_of_the_board(self, page: Any) -> None:
        track = made_board().tracks[-1]
        expected = [s.card.agent for s in (*track.standings, *track.apart)]
        assert agents(page) == expected
        expect(page.locator("#shown")).to_have_text("6 of 6 agents in this track")

    def test_buttons_in_the_head_sort_both_ways(self, page: Any) -> None:
        head = page.locator("th[data-column=spent]")
        head.get_by_role("button").click()
        ranked = [float(text) for text in column(page, "spent")[:-1]]
        assert ranked == sorted(ranked) == [0, 0, 5, 8, 100]
        expect(head).to_have_attribute("aria-sort", "ascending")
        expect(page.locator("th[data-column=rank]")).to_have_attribute("aria-sort", "none")
        head.get_by_role("button").click()
        assert [float(text) for text in column(page, "spent")[:-1]] == ranked[::-1]
        expect(head).to_have_attribute("aria-sort", "descending")

    def test_who_is_not_ranked_stays_below(self, page: Any) -> None:
        page.locator("th[data-column=overall] button").click()
        assert agents(page)[-1] == "crammer"
        values = rows(page).locator(".score").all_inner_texts()
        assert float(values[-1].split()[0]) > float(values[0].split()[0])

    def test_names_sort_as_text(self, page: Any) -> None:
        page.locator("th[data-column=agent] button").click()
        assert agents(page)[:-1] == ["fixed", "learner", "seeker", "talker", "twice"]

    def test_what_has_no_value_comes_last_in_both_directions(self, page: Any) -> None:
        head = page.locator("th[data-column=area] button")
        dash = "\N{EN DASH}"
        missing = column(page, "area")[:-1].count(dash)
        assert 0 < missing < 5
        for _ in range(2):
            head.click()
            assert column(page, "area")[:-1][-missing:] == [dash] * missing

    def test_a_track_shows_who_kept_to_its_limit(self, page: Any) -> None:
        page.get_by_label("at most 10", exact=True).check()
        assert sorted(agents(page)) == sorted(
            ["seeker", "learner", "twice", "fixed", "talker", "crammer"]
        )
        assert column(page, "spent")[agents(page).index("seeker")] == "10"
        page.get_by_label("none", exact=True).check()
        assert agents(page) == ["fixed", "talker", "crammer"]
        expect(page.locator("#shown")).to_have_text("3 of 3 agents in this track")
        assert page.locator("#map canvas").count() == 3
        assert page.locator(".plot.wide .mark:visible").count() == 3

    def test_a_kind_can_be_left_out_everywhere(self, page: Any) -> None:
        before = page.locator(".plot.wide .mark:visible").count()
        page.get_by_label("search", exact=True).uncheck()
        assert "seeker" not in agents(page)
        expect(page.locator("#shown")).to_have_text("5 of 6 agents in this track")
        assert page.locator("#map canvas").count() == 5
        assert page.locator(".plot.wide .mark:visible").count() == before - 2
        page.get_by_label("search", exact=True).check()
        assert "seeker" in agents(page)


class TestPrograms:
    def test_a_click_opens_the_program_with_its_counts_and_passes(self, page: Any) -> None:
        names = agents(page)
        strip = page.locator("#map canvas").nth(names.index("learner"))
        box = strip.bounding_box()
        third = 2.5 * box["width"] / len(PROGRAMS)
        strip.click(position={"x": third, "y": 10})
        program = BY_SIZE[2]
        expect(page.locator("#program-title")).to_have_text(PROGRAMS[program])
        expect(page.locator("#program-title")).to_be_focused()
        row = page.locator("#program tr", has=page.get_by_text("learner 1", exact=True))
        gain = (10, -4, 3)[program % 3]
        expect(row.locator("td").first).to_have_text(str(oz_of(program) - gain))
        word = "fewer" if gain > 0 else "more"
        expect(row.locator("td").nth(1)).to_contain_text(f"{abs(gain)} {word}")
        shown = page.locator(".passes:visible code").inner_text()
        assert shown.replace(", ", ",") == answer_of(program, 8)

    def test_each_repetition_has_its_own_list(self, page: Any) -> None:
        page.get_by_label("Find a program").fill("program_03")
        page.get_by_role("button", name=PROGRAMS[3]).click()
        page.get_by_role("button", name="passes of twice 1").click()
        lists = page.locator(".passes:visible")
        expect(lists).to_contain_text(f"repetition 1: {oz_of(3) - 2},")
        expect(lists).to_contain_text(f"repetition 2: {oz_of(3) - 4},")
        row = page.locator("#program tr", has=page.get_by_text("twice 1", exact=True))
        expect(row.locator("td").first).to_have_text(str(oz_of(3) - 3))

    def test_an_open_program_follows_the_track(self, page: Any) -> None:
        page.get_by_label("Find a program").fill("program_05")
        page.locator("#found").get_by_role("button").click()
        for track, spent in (("no limit", 100), ("at most 10", 10)):
            page.get_by_label(track, exact=True).check()
            button = page.get_by_role("button", name="passes of seeker 1")
            if button.get_attribute("aria-expanded") == "false":
                button.click()
            passes = page.locator(".passes:visible code")
            expect(passes).to_have_text(answer_of(5, spent).replace(",", ", "))
        assert answer_of(5, 10) != answer_of(5, 100)

    def test_arrow_keys_walk_and_say_where_they_are(self, page: Any) -> None:
        readout = page.locator("#readout")
        names = agents(page)
        page.locator("#map").focus()
        expect(readout).to_contain_text(f"{names[0]} 1 on {PROGRAMS[BY_SIZE[0]]}:")
        for key, agent, place in (
            ("ArrowRight", 0, 1),
            ("ArrowDown", 1, 1),
            ("End", 1, 11),
            ("ArrowRight", 1, 11),
            ("ArrowLeft", 1, 10),
            ("ArrowUp", 0, 10),
            ("Home", 0, 0),
        ):
            page.keyboard.press(key)
            expect(readout).to_contain_text(f"{names[agent]} 1 on {PROGRAMS[BY_SIZE[place]]}:")
        page.keyboard.press("Enter")
        expect(page.locator("#program-title")).to_have_text(PROGRAMS[BY_SIZE[0]])

    def test_zoom_shows_fewer_programs_and_back(self, page: Any) -> None:
        shown = page.locator("#map-range")
        expect(shown).to_have_text("programs 1 to 12 of 12")
        page.get_by_role("button", name="Zoom in").click()
        expect(shown).to_have_text("programs 3 to 10 of 12")
        page.locator("#map").focus()
        page.keyboard.press("End")
        expect(shown).to_have_text("programs 5 to 12 of 12")
        page.keyboard.press("-")
        expect(shown).to_have_text("programs 1 to 12 of 12")

    def test_another_order_moves_the_columns(self, page: Any) -> None:
        page.get_by_label("Order of programs").select_option("name")
        page.locator("#map").focus()
        page.keyboard.press("Home")
        expect(page.locator("#readout")).to_contain_text(f" on {PROGRAMS[0]}:")

    def test_next_and_previous_follow_the_order(self, page: Any) -> None:
        page.get_by_label("Find a program").fill(PROGRAMS[BY_SIZE[4]])
        page.locator("#found").get_by_role("button").click()
        page.get_by_role("button", name="Next program").click()
        expect(page.locator("#program-title")).to_have_text(PROGRAMS[BY_SIZE[5]])

    def test_gains_are_drawn_above_the_line_and_losses_below(self, page: Any) -> None:
        page.get_by_label("Order of programs").select_option("name")
        strip = page.locator("#map canvas").nth(agents(page).index("learner"))
        drawn = drawn_in(strip, 0.2, 0.8)
        assert drawn == [[gain > 0, gain < 0] for gain in (10, -4, 3) * 4]


class TestComparison:
    def test_two_agents_are_compared_program_by_program(self, page: Any) -> None:
        pick(page, "learner")
        expect(page.locator("#compare-body")).to_contain_text("Tick a second agent")
        pick(page, "talker")
        gains = [((10, -4, 3)[n % 3], (1, 0, -2)[n % 3]) for n in range(len(PROGRAMS))]
        wins, losses = sum(a > b for a, b in gains), sum(a < b for a, b in gains)
        outcome = page.locator(".outcome li")
        expect(outcome).to_have_text(
            [f"{wins} smaller with learner 1", "0 the same", f"{losses} smaller with talker 1"]
        )
        saved = sum(a - b for a, b in gains)
        expect(page.locator("#compare-body")).to_contain_text(f"needs {saved} fewer instructions")
        best = max(range(len(PROGRAMS)), key=lambda n: (gains[n][0] - gains[n][1]) / oz_of(n))
        first = page.locator(".halves tbody tr").first
        expect(first.get_by_role("button")).to_have_text(PROGRAMS[best])
        first.get_by_role("button").click()
        expect(page.locator("#program-title")).to_have_text(PROGRAMS[best])

    def test_a_third_takes_the_place_of_the_first(self, page: Any) -> None:
        for agent in ("learner", "talker", "fixed"):
            pick(page, agent)
        expect(page.locator(".outcome li").first).to_contain_text("talker 1")
        expect(page.locator(".outcome li").last).to_contain_text("fixed 1")
        assert not page.get_by_label("Compare learner 1").locator("visible=true").is_checked()

    def test_the_choice_outlives_a_change_of_track_where_it_can(self, page: Any) -> None:
        pick(page, "seeker")
        pick(page, "talker")
        page.get_by_label("at most 10", exact=True).check()
        gains = [((6, 8, -1)[n % 3], (1, 0, -2)[n % 3]) for n in range(len(PROGRAMS))]
        saved = sum(a - b for a, b in gains)
        expect(page.locator("#compare-body")).to_contain_text(f"needs {saved} fewer instructions")
        page.get_by_label("none", exact=True).check()
        expect(page.locator("#compare-body")).to_contain_text("no run in this track")

    def test_bars_of_a_comparison_are_drawn(self, page: Any) -> None:
        pick(page, "learner")
        pick(page, "fixed")
        signs = drawn_in(page.locator("#differences"), 0.45, 0.55)
        # Sorted: the eight that the first makes smaller, then the four of the second.
        assert signs == [[True, False]] * 8 + [[False, True]] * 4


class TestKeyboard:
    def test_the_first_key_offers_to_skip_to_the_content(self, page: Any) -> None:
        page.keyboard.press("Tab")
        skip = page.get_by_text("Skip to content")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()

    def test_everything_is_reached_and_its_focus_is_seen(self, page: Any) -> None:
        page.keyboard.press("Tab")
        seen: list[str] = []
        for _ in range(80):
            page.keyboard.press("Tab")
            name, outlined = page.evaluate(
                """() => {
                  const at = document.activeElement;
                  const shown = [at, at.nextElementSibling, at.querySelector(".target")];
                  const outlined = shown.filter(Boolean).some((element) => {
                    const style = getComputedStyle(element);
                    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
                      || element.matches(".target") && parseFloat(style.strokeWidth) >= 2;
                  });
                  const name = at.id || at.name || at.className.baseVal || at.textContent.trim();
                  return [name, outlined];
                }"""
            )
            if name == "map":
                break
            assert outlined, name
            seen.append(name)
        expect(page.locator("#map")).to_be_focused()
        assert {"theme", "track", "kind", "Rank", "seeker 1", "order", "find", "zoom-in"} <= set(
            seen
        )
        assert any(name.startswith("mark") for name in seen)

    def test_sorting_filtering_and_comparing_need_no_pointer(self, page: Any) -> None:
        page.locator("th[data-column=regressed] button").focus()
        page.keyboard.press("Enter")
        values = [int(text) for text in column(page, "regressed")[:-1]]
        assert values == sorted(values)
        page.get_by_label("no limit").focus()
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_label("at most 1,000")).to_be_checked()
        for agent in ("fixed", "talker"):
            page.get_by_label(f"Compare {agent} 1").locator("visible=true").focus()
            page.keyboard.press("Space")
        expect(page.locator(".outcome li")).to_have_count(3)
