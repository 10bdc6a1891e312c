"""How the site looks in a real browser, offline: themes, widths, hostile text, many programs."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from made_boards import AGENT_PAGE, HOSTILE, TASK_PAGE, hostile_board, made_board
from made_entries import made_card, made_run

pytest.importorskip("jinja2", reason="needs the extra site")
pytest.importorskip("playwright.sync_api", reason="needs Playwright")

from playwright.sync_api import expect

from llmopt_bench import Task
from llmopt_bench.board import make_board
from llmopt_bench.board_site import write_site
from llmopt_bench.entries import Entry

pytest_plugins = ("board_window",)

PHONE, DESK = {"width": 375, "height": 812}, {"width": 1440, "height": 900}

# Every text that is drawn has to lie in the window and in the boxes around it.
ESCAPES = """() => {
  const found = [];
  const room = document.documentElement.clientWidth;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    const unseen = parent.closest(".unseen, .skip, script, title, option");
    if (!node.data.trim() || unseen) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const text of range.getClientRects()) {
      if (!text.width) continue;
      const say = (box) => found.push(`${box}: ${node.data.trim().slice(0, 40)}`);
      if (text.left < -1 || text.right > room + 1) say("window");
      const box = parent.closest("td, th, li, dd, dt, p, label, button, h1, h2, h3, section");
      const around = (box ?? document.body).getBoundingClientRect();
      if (text.left < around.left - 1 || text.right > around.right + 1) say(box?.tagName);
      const outside = text.top < around.top - 4 || text.bottom > around.bottom + 4;
      if (!parent.closest("svg") && outside) say(`${box?.tagName} (height)`);
    }
  }
  for (const element of document.querySelectorAll("body *")) {
    const scrolls = element.scrollWidth > element.clientWidth + 1;
    const style = getComputedStyle(element);
    if (scrolls && style.display !== "inline" && !element.closest(".unseen, svg, select")) {
      found.push(`scrolls: ${element.tagName} ${element.id} ${element.className}`);
    }
  }
  return found;
}"""


class TestTheme:
    @staticmethod
    def brightness(page: Any) -> int:
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    def test_it_follows_the_system_and_canvases_are_drawn_again(self, page: Any) -> None:
        picture = "canvas => canvas.toDataURL()"
        before = page.locator("#map canvas").first.evaluate(picture)
        assert self.brightness(page) > 600
        page.emulate_media(color_scheme="dark")
        assert self.brightness(page) < 150
        assert page.locator("#map canvas").first.evaluate(picture) != before

    def test_the_switch_has_the_last_word_and_is_remembered(self, browser: Any, site: Path) -> None:
        page = browser.new_page(color_scheme="light")
        page.goto((site / TASK_PAGE).as_uri())
        button = page.locator("#theme")
        button.click()
        expect(button).to_have_text("Theme: light")
        button.click()
        expect(button).to_have_text("Theme: dark")
        assert self.brightness(page) < 150
        page.goto((site / AGENT_PAGE).as_uri())
        expect(page.locator("#theme")).to_have_text("Theme: dark")
        assert self.brightness(page) < 150
        page.close()


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
class TestLayout:
    """At the widths of a phone and of a desk, in both themes."""

    def test_no_text_escapes(self, window: Any, site: Path, viewport: dict[str, int]) -> None:
        for path in ("index.html", TASK_PAGE, AGENT_PAGE):
            self.check(window.open(site / path, viewport))

    def test_nor_does_a_hostile_one(
        self, window: Any, tmp_path: Path, viewport: dict[str, int]
    ) -> None:
        write_site([hostile_board(" ".join(HOSTILE))], tmp_path / "site")
        pages = sorted((tmp_path / "site").rglob("*.html"))
        assert len(pages) == 4
        for path in pages:
            self.check(window.open(path, viewport))

    @staticmethod
    def check(page: Any) -> None:
        unfold(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(ESCAPES) == [], (page.url, scheme)


def unfold(page: Any) -> None:
    """Open whatever a page can show."""
    for details in page.locator("details").all():
        details.locator("summary").click()
    if page.locator("#map").count():
        for box in page.locator(".compare input:visible").all()[:2]:
            box.check()
        page.locator("#map").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".passes:visible code").first).not_to_be_empty()


def test_without_scripts_all_tracks_are_there(browser: Any, site: Path) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto((site / TASK_PAGE).as_uri())
    expect(page.get_by_text("Additional compilations: at most 10", exact=True)).to_be_visible()
    assert page.locator("tr.standing:visible").count() == sum(
        len(track.standings) + len(track.apart) for track in made_board().tracks
    )
    expect(page.get_by_text("This part needs JavaScript")).to_be_visible()
    page.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_does_nothing(window: Any, tmp_path: Path, text: str) -> None:
    write_site([hostile_board(text)], tmp_path / "site")
    page = window.open(tmp_path / "site/tasks/hostile-v1/index.html")
    unfold(page)
    page.locator("#found").scroll_into_view_if_needed()
    page.get_by_label("Find a program").fill(text[:5])
    expect(page.locator("#found")).to_contain_text(text)
    expect(page.locator("#program-title")).to_contain_text(text)
    assert text.replace(",", ", ") in page.locator(".passes:visible code").inner_text()
    assert page.evaluate("() => typeof hacked") == "undefined"
    page.locator(".agent a:visible").first.click()
    expect(page.locator(".record")).to_contain_text(text)
    assert page.evaluate("() => typeof hacked") == "undefined"


def test_the_policy_stops_what_escaping_would_miss(window: Any, site: Path) -> None:
    page = window.open(site / TASK_PAGE)
    outcome = page.evaluate(
        """() => {
          try { document.body.innerHTML += "<img src=x onerror='hacked=1'>"; return "written"; }
          catch (error) { return error.name; }
        }"""
    )
    assert outcome == "TypeError"
    assert window.wrong
    assert all("TrustedHTML" in message for message in window.wrong)
    window.wrong.clear()


@pytest.mark.nightly
def test_thousands_of_programs_open_at_once(browser: Any, tmp_path: Path) -> None:
    task = Task(name="large-v1", metric="instruction_count", budget=10, dataset="large-v1")
    entries = []
    for agent in range(15):
        card = made_card(f"agent{agent}")
        results = {f"large-v1/program-{n}": 900 + (n * (agent + 7)) % 120 for n in range(5000)}
        entries.append(Entry(card, (made_run(card.agent, results, task),)))
    write_site([make_board(task, entries)], tmp_path / "site")
    page = browser.new_page()
    start = time.monotonic()
    page.goto((tmp_path / "site/tasks/large-v1/index.html").as_uri())
    expect(page.locator("#map-range")).to_contain_text("of 5,000")
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".passes:visible code")).to_have_text("globaldce")
    assert time.monotonic() - start < 5
    page.close()
