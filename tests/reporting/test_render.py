"""The report of a small finished run, written by hand: complete, safe to open, folded, and the same every time."""

import base64
import hashlib
import json
import re
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from written_run import ATTACK, SUITES, SYSTEMS, Page, make_run

from amends.config.methods import METHODS
from amends.errors import InputError, StoreError
from amends.evaluation.results import Results
from amends.records import Verdict
from amends.reporting.page import write_report
from amends.reporting.samples import lessons_of, samples_of
from conftest import run_amends


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("runs") / "one"
    make_run(directory)
    write_report(directory)
    return directory


@pytest.fixture(scope="module")
def html(run_directory: Path) -> str:
    return (run_directory / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_model_output_stays_text(html: str, page: Page) -> None:
    assert "&lt;script&gt;alert" in html
    assert not [tag for tag, _ in page.tags if tag in ("img", "iframe", "link", "object", "i", "b")]
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}], "our own alone"
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_nothing_is_loaded_from_elsewhere(html: str, page: Page) -> None:
    targets = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action", "data", "srcset")
    ]
    assert targets and all(str(target).startswith("#") for target in targets)
    assert "@import" not in html and "url(http" not in html
    (policy,) = (str(attributes["content"]) for _, attributes in page.tags if "http-equiv" in attributes)
    script = html[html.index("<script>") + len("<script>") : html.index("</script>")]
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline';")


def test_what_was_not_judged_harmless_is_folded(run_directory: Path, page: Page) -> None:
    shown = {re.sub(r"[^\w-]", "", text.split("<")[0]) for text, _ in page.texts if text.startswith("Answer of")}
    assert len(shown) == len(SYSTEMS) * len(SUITES), "every system of every suite is in the samples"
    labels = {}
    for method, inference, _ in SYSTEMS:
        for line in (run_directory / method / f"{inference}.red-team.verdicts.jsonl").read_text().splitlines():
            verdict = Verdict.model_validate_json(line)
            labels[method, inference, verdict.id] = verdict.verdict
    prompt = ""
    folds = {"harmless": 0, "harmful": 0, "unscored": 0}
    for text, folded in page.texts:
        if text.startswith("Prompt red-team"):
            prompt = text.split()[1]
        for method, inference, _ in SYSTEMS:
            if text.startswith(f"Answer of ('{method}', '{inference}', 'red-team')"):
                label = labels[method, inference, prompt]
                assert folded == (label != "harmless")
                folds[label] += 1
    assert folds["harmless"] and folds["harmful"]
    assert all(folded for text, folded in page.texts if text.startswith(("Mistake 0", "Mistake 1 <", "It is harmful")))


def test_a_few_rows_are_drawn_without_keeping_all(tmp_path: Path) -> None:
    """By the SHA-256 of their id, of mistakes that passed, with an analysis that passed where there is any such."""
    made = 800
    rows = [
        {"id": f"m{number}", "prompt": "p", "response": "bad " * 1_000, "source": "own", "passed": number % 2 == 0}
        for number in range(made)
    ]
    told = [row | {"analysis": "a", "passed": number % 3 == 0} for number, row in enumerate(rows)]
    answers = [row | {"id": f"red-team-{number}", "prompt": str(number)} for number, row in enumerate(rows)]
    results = make_run(tmp_path, 12)
    files = {"mistakes": rows, "analyses": told, "sft/unguided.red-team.responses": answers}
    for name, found in files.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    results = results.model_copy(update={"systems": [row for row in results.systems if row.suite == "red-team"]})
    tracemalloc.start()
    lessons, samples = lessons_of(tmp_path, results.yields), samples_of(tmp_path, results)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2e6, "of 3 MB a file"
    assert [lesson.mistake.id for lesson in lessons] == drawn(f"m{number}" for number in range(0, made, 6))[:3]
    assert all(lesson.analysis and lesson.analysis.id == lesson.mistake.id for lesson in lessons)
    shown = [
        answer.response.id for sample in samples.prompts for answer in sample.others if answer.system == "sft/unguided"
    ]
    assert sorted(shown) == sorted(f"red-team-{number}" for number in range(12)), "which the first system answered"
    (tmp_path / "analyses.jsonl").unlink()
    lessons = lessons_of(tmp_path, results.yields)
    assert [lesson.mistake.id for lesson in lessons] == drawn(f"m{number}" for number in range(0, made, 2))[:3]
    assert not any(lesson.analysis for lesson in lessons)


def drawn(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def test_an_unjudged_answer_is_folded(tmp_path: Path) -> None:
    make_run(tmp_path, 12)
    for path in tmp_path.rglob("*.verdicts.jsonl"):
        path.unlink()
    write_report(tmp_path)
    texts = Page((tmp_path / "report.html").read_text()).texts
    assert {folded for text, folded in texts if "'red-team')" in text} == {True}


def test_bytes_do_not_vary(run_directory: Path, tmp_path: Path, html: str) -> None:
    make_run(tmp_path)
    write_report(tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    assert not list(run_directory.glob(".report*")), "no temporary file is left"


def test_ids_are_unique_and_tables_accessible(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = {str(value)[1:] for _, tag in page.tags for name, value in tag.items() if name == "href"}
    assert references <= set(ids)
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert dict(page.tags)["html"]["lang"] == "en"
    assert all(attributes.get("aria-label") for _, attributes in page.tags if attributes.get("role") == "img")


def test_numbers_of_results_are_in_the_page(run_directory: Path, html: str) -> None:
    results = Results.model_validate_json((run_directory / "results.json").read_text())
    for row in results.systems:
        if row.harmless_rate is not None:
            assert f"{100 * row.harmless_rate:.1f}" in html
        if row.kind in ("red-team", "attacks"):
            assert row.harmless_engaged_rate is not None
            assert f"{100 * row.harmless_engaged_rate:.1f}" in html
    assert "more harmless: the interval excludes zero" in html
    assert "refuses" in html and "62.5" in html, "yields"
    assert "0.8812" in html, "judge card"
    assert html.count("<polyline") == 2, "a curve for each method that was trained"


def test_cost_and_provenance_are_in_the_page(page: Page) -> None:
    texts = [text for text, _ in page.texts]
    assert {"61", "75", "721", "77", "5,123"} <= set(texts), (
        "seconds of training and of making its data, samples, tokens"
    )
    assert "5ad1" in texts, "hashes of the sets"
    assert {METHODS[name].source for name, _, _ in SYSTEMS} <= set(texts), "what each method is, and from where"
    (shown,) = (text for text in texts if text.startswith('{\n  "configuration"'))
    assert json.loads(shown)["configuration"]["model"] == ATTACK


@pytest.mark.parametrize(("stages", "analyses"), [([], 0), (["induce"], 0), (["induce", "analyze"], 3)])
def test_what_methods_of_before_left_there_was_not_learnt_from(
    tmp_path: Path, stages: list[str], analyses: int
) -> None:
    results = make_run(tmp_path, 12)
    yields = {name: results.yields[name] for name in stages}
    (tmp_path / "results.json").write_text(results.model_copy(update={"yields": yields}).model_dump_json())
    html = write_report(tmp_path).read_text()
    assert ("What the model was made to learn from" in html) == bool(stages)
    assert html.count("It is harmful") == analyses


def test_only_results_are_needed(tmp_path: Path) -> None:
    results = Results(model="m", seed=1, systems=[])
    (tmp_path / "results.json").write_text(results.model_dump_json())
    Page(write_report(tmp_path).read_text())


def test_lone_surrogates_and_empty_answers_are_shown(tmp_path: Path) -> None:
    make_run(tmp_path, 12)
    path = tmp_path / "sft" / "unguided.benign.responses.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line | {"response": ""}) + "\n" for line in lines))
    (tmp_path / "run.json").write_text('{"configuration": {"model": "\\ud800"}}')
    assert "(empty)" in write_report(tmp_path).read_text(encoding="utf-8")


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"results\.json: no such file"):
        write_report(tmp_path)
    make_run(tmp_path, 12)
    (tmp_path / "mistakes.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "run.json").write_text('{"configuration": 3}')
    with pytest.raises(StoreError, match=r"run\.json: configuration: "):
        write_report(tmp_path)
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match=r"mistakes\.jsonl: line 1: .*prompt"):
        write_report(tmp_path)
    (tmp_path / "mistakes.jsonl").write_text("{\n")
    with pytest.raises(InputError, match=r"mistakes\.jsonl: line 1: begins an object of several lines"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text('{"model": "m", "seed": 1}')
    with pytest.raises(InputError, match=r"results\.json: systems"):
        write_report(tmp_path)


def test_results_that_are_printed_as_json_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path, 12)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert run_amends("report", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "results.json").read_text())
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert run_amends("report", str(tmp_path)) == 0
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("yields", {"induce": {"rows": "many"}}),
        ("yields", {"induce": {"guides": {"plain": {"tried": 3}}}}),
        ("yields", {"induce": {"reasons": {"cut": [1]}}}),
        ("data", {"training": {"sft": {"samples": "1"}}}),
        ("data", {"training": [1]}),
        ("data", {"without_results": ["a"]}),
    ],
)
def test_figures_that_are_none_are_refused_in_a_line(
    key: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path, 12)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert run_amends("report", str(tmp_path)) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"amends: error: {path}: ")
    assert said.count("\n") == 1
    assert "Traceback" not in said
