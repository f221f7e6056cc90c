"""The report of somebody else's run: nothing of it acts, and nothing is unseen."""

import json
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from written_run import Page, make_run

from amends.reporting.page import write_report
from amends.text.display import UNSEEN
from conftest import run_amends

HOSTILE = (
    "\x1b]52;c;AA\x07\x9b2J\x7f\u202e\u2066\u200b\ufeff\U000e0041 "
    "[x](http://evil.example) http://evil.example ![i](j) a|b `c` <img>"
)

FIXED = {"kind", "inference", "metric", "method", "suite", "a", "b"}


def spoiled(value: Any, key: str = "") -> Any:
    """With hostile text in every string, and every name, that may be any."""
    if isinstance(value, dict):
        free = key in ("yields", "judges", "data", "evaluation", "sets", "training", "guides", "reasons", "categories")
        return {
            f"{name}{HOSTILE}" if free and name != "training" else name: spoiled(one, name)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [spoiled(one, key) for one in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) and key not in FIXED else value


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody else's run directory."""
    directory = tmp_path_factory.mktemp("hostile") / "run"
    make_run(directory, 12)
    path = directory / "results.json"
    path.write_text(json.dumps(spoiled(json.loads(path.read_text()))))
    path = directory / "run.json"
    path.write_text(json.dumps({"configuration": {"model": HOSTILE, "methods": [HOSTILE]}}))
    for path in directory.rglob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        kept = ("id", "verdict", "source", "prompt_hash")
        rows = [{key: one if key in kept else spoiled(one) for key, one in row.items()} for row in rows]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return directory


def test_nothing_of_somebody_elses_run_acts_or_is_unseen(hostile_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    html = write_report(hostile_run).read_text(encoding="utf-8")
    Page(html)
    assert UNSEEN.findall(html) == []
    assert r"\x1b]52;c;AA\x07\x9b2J\x7f\u202e\u2066\u200b\ufeff\U000e0041 [x](http://evil.example)" in html
    for option in ([], ["--json"], ["--markdown"]):
        assert run_amends("report", str(hostile_run), *option) == 0
        printed = capsys.readouterr()
        assert UNSEEN.findall(printed.out + printed.err) == [], option
        if option == ["--json"]:
            assert json.loads(printed.out) == json.loads((hostile_run / "results.json").read_text())


def test_no_link_picture_or_html_of_a_page_comes_from_data(
    hostile_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_amends("report", str(hostile_run), "--markdown") == 0
    page = capsys.readouterr().out
    assert "](" not in page
    assert "http://" not in page
    rendered = MarkdownIt("commonmark").enable("table").render(page)
    known = {"h2", "table", "thead", "tbody", "tr", "th", "td", "p", "strong"}
    assert {name for name, _ in Page(rendered).tags} <= known
    assert "[x](http://evil.example) http://evil.example ![i](j) a|b `c` &lt;img&gt;" in rendered
