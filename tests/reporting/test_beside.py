"""Several runs beside each other: in the terminal, as JSON and on a page, with what keeps them from being compared."""

import json
from pathlib import Path

import pytest
from written_run import Page, make_run

import amends
from amends.reporting.beside import cautions, read_runs
from conftest import run_amends


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    first, second = (tmp_path_factory.mktemp("beside") / name for name in ("first", "second"))
    make_run(first, 12)
    make_run(second)
    return first, second


def test_both_are_shown_and_named(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends("report", *map(str, runs)) == 0
    said = capsys.readouterr().out
    assert "first: " in said and "second: More harmless" in said
    assert "No run was tested against another" in said
    assert not any((run / "report.html").exists() for run in runs), "nothing is written"
    assert run_amends("report", *map(str, runs), "--json") == 0
    assert list(json.loads(capsys.readouterr().out)) == ["first", "second"]


def test_other_judges_and_other_prompts_are_said(runs: tuple[Path, Path]) -> None:
    first, second = read_runs(runs)
    assert len(cautions([first, second])) == 1
    judges = {"evaluation": {"name": "another"}}
    sets = [{"sets": {"suite red-team": {"sha256": digest}}} for digest in "ab"]
    first = first._replace(results=first.results.model_copy(update={"judges": judges, "data": sets[0]}))
    second = second._replace(results=second.results.model_copy(update={"data": sets[1]}))
    _, judged, asked = cautions([first, second])
    assert "different judges" in judged and "different prompts in red-team" in asked


def test_a_page_shows_them_and_takes_no_other_files_place(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "runs.html"
    for _ in range(2):  # its own page is written again
        assert run_amends("report", *map(str, runs), "--out", str(page)) == 0
    texts = [text for text, _ in Page(page.read_text()).texts]
    assert {"first", "second"} <= set(texts)
    page.write_text("mine")
    capsys.readouterr()
    assert run_amends("report", *map(str, runs), "--out", str(page)) == 2
    assert "is no report of amends; name another file with --out" in capsys.readouterr().err
    assert page.read_text() == "mine"


def test_python_gives_them_beside_each_other_too(runs: tuple[Path, Path], tmp_path: Path) -> None:
    both = amends.report(*runs, out=tmp_path / "both.html")
    assert list(both.runs) == ["first", "second"] and both.page == tmp_path / "both.html"
    assert both.page.is_file() and not any((run / "report.html").exists() for run in runs)
    frame = both.to_pandas()
    rows = {name: len(one.systems) for name, one in both.runs.items()}
    assert frame.groupby("run").size().to_dict() == rows and "harmless_rate" in frame
    assert "No run was tested against another" in both._repr_html_() and repr(both) == "2 runs: first, second"
    assert amends.report(*runs).page is None
    with pytest.raises(amends.AmendsError, match="is named twice"):
        amends.report(runs[0], runs[0])
    with pytest.raises(amends.AmendsError, match="is for several runs"):
        amends.report(runs[0], out="x.html")  # type: ignore[call-overload]


def test_what_cannot_be_beside_is_refused(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_amends("report", str(runs[0]), str(runs[0])) == 2
    assert "is named twice" in capsys.readouterr().err
    assert run_amends("report", str(runs[0]), "--out", "x.html") == 2
    assert "--out x.html: is for several runs" in capsys.readouterr().err
