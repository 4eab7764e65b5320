# SPDX-License-Identifier: Apache-2.0
"""The report's page in a real browser: no console errors, filter and search, the texts side by side, both schemes.

Screenshots of the last run are in build/screenshots/.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import browser
import pytest
import report_folder
from jax_oneshot import cli
from jax_process import REPOSITORY
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SCREENSHOTS = REPOSITORY / "build" / "screenshots"
pytestmark = pytest.mark.skipif(bool(browser.missing()), reason=browser.missing())


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report") / "dumps"
    report_folder.write(folder)
    assert cli.main(["report", str(folder)]) == 0
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def shared() -> Iterator[Any]:
    with browser.chromium() as driver:
        yield driver


@pytest.fixture
def driver(shared: Any, page: str) -> Iterator[Any]:
    """The page, freshly loaded; its console must stay empty."""
    shared.get("about:blank")
    shared.get(page)
    yield shared
    assert shared.get_log("browser") == []


def visible(driver: Any, selector: str) -> list[str]:
    return [one.text for one in driver.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]


def wait(driver: Any, condition: Callable[[], Any]) -> Any:
    return WebDriverWait(driver, 20).until(lambda _: condition())


def open_view(driver: Any, view: str) -> None:
    driver.execute_script("location.hash = arguments[0]", view)
    wait(driver, lambda: driver.execute_script("return location.hash") == view)


def search(driver: Any, text: str) -> None:
    box = driver.find_element(By.ID, "search")
    box.clear()
    box.send_keys(text)


def test_the_page_opens_on_the_modules_without_a_word_on_the_console(driver: Any) -> None:
    rows = visible(driver, "#view-modules tbody tr")
    assert len(rows) == 2
    assert "jit_decode" in rows[0]
    assert "2 → 2" in rows[0]
    assert "jit_logits_<b>" in rows[1]


def test_a_filter_by_verdict_hides_the_other_all_reduces_and_their_modules(driver: Any) -> None:
    driver.find_element(By.CSS_SELECTOR, ".chip.kept input").click()
    assert len(visible(driver, "#view-modules tbody tr")) == 1
    open_view(driver, "#all-reduces")
    assert [row.split()[0] for row in visible(driver, ".entry")] == ["%all-reduce.1", "%all-reduce.2"]
    assert driver.find_element(By.ID, "shown").text == "2 of 4"
    driver.find_element(By.CSS_SELECTOR, ".chip.kept input").click()
    assert len(visible(driver, ".entry")) == 4


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("rsqrt", ["%all-reduce.1"]),
        ("MODEL.PY:20 fused", []),
        ("model.py:20", ["%all-reduce.1", "%all-reduce.2"]),
        ("limit large", ["%large"]),
        ("nothing of the kind", []),
    ],
)
def test_search_finds_words_in_names_reasons_sources_and_programs(driver: Any, words: str, found: list[str]) -> None:
    open_view(driver, "#all-reduces")
    search(driver, words)
    assert [row.split()[0] for row in visible(driver, ".entry")] == found


def test_why_not_groups_the_kept_ones_by_reason_and_follows_the_search(driver: Any) -> None:
    open_view(driver, "#why-not")
    headings = visible(driver, ".why h2")
    assert len(headings) == 2
    assert any("is not a sum, maximum or minimum" in heading for heading in headings)
    search(driver, "product")
    assert len(visible(driver, ".why h2")) == 1


def test_a_module_opens_with_both_texts_and_shows_the_call_beside_its_region(driver: Any) -> None:
    driver.find_element(By.CSS_SELECTOR, "#view-modules tbody tr").click()
    wait(driver, lambda: visible(driver, "#m0 .text.after .now"))
    before, after = visible(driver, "#m0 .text.before .now"), visible(driver, "#m0 .text.after .now")
    assert any("%all-reduce.1 = " in line for line in before)
    assert any("custom-call(%d, %x, %g)" in line for line in after)
    assert not any("%all-reduce.2 = " in line for line in before)
    assert driver.execute_script("return document.querySelectorAll('#m0 .chosen svg rect').length") > 10


def test_a_click_on_a_marked_line_shows_its_all_reduce(driver: Any) -> None:
    open_view(driver, "#m0.0")
    wait(driver, lambda: visible(driver, "#m0 .text.before .plain"))
    line = driver.find_element(By.CSS_SELECTOR, "#m0 .text.before .plain")
    driver.execute_script("arguments[0].click()", line)
    wait(driver, lambda: visible(driver, "#m0 .detail h3") == ["%all-reduce.2"])
    assert visible(driver, "#m0 .pick.on")[0].startswith("%all-reduce.2")


def test_a_link_opens_the_all_reduce_it_names(driver: Any) -> None:
    open_view(driver, "#m1.1")
    wait(driver, lambda: visible(driver, "#m1 .detail h3"))
    assert "is not a sum, maximum or minimum" in visible(driver, "#m1 .detail dl")[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_are_legible(driver: Any, scheme: str) -> None:
    browser.use_scheme(driver, scheme)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for view, ready in (("#modules", ".list"), ("#all-reduces", ".entry"), ("#why-not", ".why"), ("#m0.0", "#m0 .now")):
        open_view(driver, view)
        wait(driver, functools.partial(visible, driver, ready))
        browser.screenshot(driver, SCREENSHOTS / f"{view[1:]}.{scheme}.png")
    contrasts = driver.execute_script(_CONTRASTS)
    assert len(contrasts) > 10
    assert min(contrasts.values()) >= 4.5, contrasts


# For every element that shows text, the contrast (WCAG 2) of its colour with the nearest opaque background.
_CONTRASTS = """
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
const background = (element) => {
  for (; element; element = element.parentElement) {
    const color = numbers(getComputedStyle(element).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const found = {};
for (const element of document.querySelectorAll('h1, h2, h3, h4, td, th, dt, dd, b, .badge, .chip, .pick, .muted, a')) {
  if (!element.offsetParent || !element.textContent.trim() || element.closest('.text')) continue;
  const [x, y] = [luminance(numbers(getComputedStyle(element).color)), luminance(background(element))];
  const name = element.tagName + '.' + element.className;
  const contrast = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  found[name] = Math.min(found[name] ?? 99, contrast);
}
return found;
"""


def test_a_narrow_window_needs_no_sideways_scrolling(driver: Any, page: str) -> None:
    size = driver.get_window_size()
    driver.set_window_size(700, 900)
    try:
        open_view(driver, "#m0.0")
        wait(driver, lambda: visible(driver, "#m0 .now"))
        assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        driver.set_window_size(size["width"], size["height"])


def test_the_screenshots_folder_is_ignored_by_git() -> None:
    ignored = (REPOSITORY / ".gitignore").read_text().splitlines()
    assert "build/" in ignored
    assert SCREENSHOTS.is_relative_to(pathlib.Path(REPOSITORY) / "build")
