"""A window of Debian's Chromium, driven by Playwright: fixtures for tests of the site."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_boards import TASK_PAGE, made_board
from playwright import sync_api

from llmopt_bench.board_site import write_site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESK = {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boards") / "site"
    write_site([made_board()], folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with sync_api.sync_playwright() as playwright:
        # As root there is no sandbox, and containers have little shared memory.
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


class Window:
    """Opens pages of a site, one after the other, and notes whatever goes wrong in them."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.wrong: list[str] = []
        self.asked: set[str] = set()
        page.set_default_timeout(5000)
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: (self.wrong.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.add(request.url))

    def open(self, file: Path, viewport: dict[str, int] = DESK) -> Any:
        self._page.set_viewport_size(viewport)
        self._page.emulate_media(color_scheme="light")
        self._page.goto(file.as_uri())
        return self._page


@pytest.fixture(scope="module")
def only_window(browser: Any) -> Iterator[Window]:
    page = browser.new_page()
    yield Window(page)
    page.close()


@pytest.fixture
def window(only_window: Window) -> Iterator[Window]:
    """Every test ends with a look at the console, and at what the pages have asked for."""
    only_window.wrong.clear()
    only_window.asked.clear()
    yield only_window
    assert only_window.wrong == []
    assert {url.partition(":")[0] for url in only_window.asked} == {"file"}


@pytest.fixture
def page(window: Window, site: Path) -> Any:
    return window.open(site / TASK_PAGE)
