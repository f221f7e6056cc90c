"""The report as Chromium shows it: on a desk and on a phone, light and dark, with nothing of a run's texts acting."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from written_run import make_run

from amends.reporting.beside import read_runs, write_beside
from amends.reporting.page import write_report
from browser import TEXTS, WIDER, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WINDOWS = [(1400, "light"), (390, "dark"), (1400, "dark"), (390, "light")]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("browser") / "run"
    make_run(directory)
    return write_report(directory).as_uri()


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page of two runs."""
    directory = tmp_path_factory.mktemp("beside")
    for name in ("first", "second"):
        make_run(directory / name)
    return write_beside(read_runs([directory / "first", directory / "second"]), directory / "runs.html").as_uri()


@pytest.fixture(scope="module")
def page(browser: "Browser", address: str) -> Iterator["Page"]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_it_fits_and_can_be_read(browser: "Browser", address: str, beside: str, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    for shown in (beside, address):
        page.goto(shown)
        for _ in range(2):  # as it opens, and with all that is folded
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(WIDER) == []
            texts = page.evaluate(TEXTS)
            assert len(texts) > 100
            assert [one for one in texts if one["pixels"] < 12] == []
            assert [one for one in texts if one["contrast"] < 4.5] == []
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    page.close()


def test_at_the_desk_no_table_has_to_be_scrolled(page: "Page") -> None:
    wider = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.ariaLabel)"
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = page.eval_on_selector_all(".scroll", wider)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = false; })")
    assert found == []


def test_nothing_but_our_own_script_runs_and_nothing_is_loaded(browser: "Browser", address: str) -> None:
    page, asked, said = browser.new_page(), [], []
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(address)
    page.evaluate(
        """() => {
            const added = document.createElement("script");
            added.textContent = "window.ran = true";
            document.body.append(added);
            document.body.insertAdjacentHTML("beforeend", "<img src=x onerror='window.ran = true'>");
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.ran") is None
    assert (asked, said) == ([address], [])
    page.close()


def test_harmful_text_is_not_seen_until_it_is_asked_for(page: "Page") -> None:
    folded = page.locator("details:not(.plain) .text")
    assert folded.count() > 10
    assert not any(one.is_visible() for one in folded.all())
    first = page.locator(".lesson details").first
    first.locator("summary").click()
    assert first.locator(".text").is_visible()


def test_tables_are_sorted_by_their_numbers(page: "Page") -> None:
    table = page.locator("table[data-named='Main numbers']")
    heading = table.locator("thead th", has_text="harmless %").first
    column = heading.evaluate("(one) => one.cellIndex + 1")
    for order in ("ascending", "descending"):
        heading.locator("button").click()
        values = [
            float(text.split()[0]) for text in table.locator(f"tbody tr > :nth-child({column})").all_inner_texts()
        ]
        assert len(set(values)) > 2
        assert values == sorted(values, reverse=order == "descending")
        assert heading.get_attribute("aria-sort") == order


def test_tables_are_copied_as_csv(page: "Page") -> None:
    page.locator("table[data-named='Training'] >> xpath=ancestor::div[1]/preceding-sibling::div[1]/button").click()
    page.get_by_text("Copied").wait_for()
    headings, *rows = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert headings.startswith('"Method","samples","steps"')
    assert len(rows) == 2 and any(row.startswith('"mistake-analysis","77","12"') for row in rows)


def test_samples_are_filtered_by_suite_and_verdict(page: "Page") -> None:
    shown = page.locator("article.sample:visible")
    assert shown.count() == 24
    page.select_option("select[name=suite]", "red-team")
    page.select_option("select[name=change]", "harmful-harmless")
    found = shown.evaluate_all("(all) => all.map((one) => [one.dataset.suite, one.dataset.change])")
    assert 0 < len(found) < 24 and {tuple(one) for one in found} == {("red-team", "harmful-harmless")}
    assert page.locator(".filters output").inner_text() == f"{len(found)} of 24 samples shown"


def test_on_a_phone_the_first_column_stays_while_a_table_is_scrolled(browser: "Browser", address: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(address)
    scroll = page.locator(".scroll[aria-label='Main numbers']")
    assert scroll.evaluate("(one) => one.scrollWidth > one.clientWidth")
    place = "(one) => one.querySelector('tbody tr > :nth-child(%d)').getBoundingClientRect().left"
    before = [scroll.evaluate(place % column) for column in (1, 3)]
    scroll.evaluate("(one) => { one.scrollLeft = 100; }")
    after = [scroll.evaluate(place % column) for column in (1, 3)]
    assert after[0] == before[0] and after[1] == before[1] - 100
    page.close()


def test_without_its_script_all_is_shown(browser: "Browser", address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("article.sample:visible").count() == 24
    assert page.locator("button:visible, form:visible").count() == 0
    context.close()
