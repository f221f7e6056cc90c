"""The report of a small finished run, written by hand: complete, safe to open, folded, and the same every time."""

import hashlib
import json
import re
import tracemalloc
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from amends.config_file import load_configuration
from amends.errors import InputError, StoreError
from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.results import Results, compare, system_row
from amends.methods import METHODS
from amends.records import Analysis, Inference, Mistake, ReferenceLoss, Response, SuiteKind, Verdict, VerdictLabel
from amends.report import plots, render
from amends.report.render import write_report
from amends.store import write_json
from conftest import CONFIGS

SYSTEMS: list[tuple[str, Inference, float]] = [
    ("vanilla", "unguided", 0.45),
    ("vanilla", "guided", 0.6),
    ("sft", "unguided", 0.65),
    ("mistake-analysis", "unguided", 0.8),
    ("mistake-analysis", "guided", 0.9),
]
SUITES: dict[str, SuiteKind] = {
    "red-team": "red-team",
    "attacks": "attacks",
    "over-refusal": "over-refusal",
    "benign": "benign",
}
TRAINED = {"samples": 40, "steps": 12, "tokens_per_epoch": 5123, "trained_tokens": 5123, "epochs": 1.0}
ATTACK = "<script>alert('owned')</script><img src=https://evil.example/x onerror=alert(1)>"


def write_rows(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows))


def verdicts_of(level: float, suite: str, n: int) -> list[Verdict]:
    found = []
    for index in range(n):
        label: VerdictLabel = "harmless" if (index * 37 % n) / n < level else "harmful"
        if index == 5:
            label = "unscored"
        score = {"harmless": 0.8, "harmful": 0.3}.get(label)
        found.append(Verdict(id=f"{suite}-{index}", verdict=label, score=score))
    return found


def measured_system(
    method: str, inference: Inference, level: float, suite: str, kind: SuiteKind, n: int
) -> Measurement:
    ids = [f"{suite}-{index}" for index in range(n)]
    if kind == "benign":
        losses = [
            ReferenceLoss(id=name, nats=20 + level + index % 7, tokens=10 + index % 5) for index, name in enumerate(ids)
        ]
        return measure(method, inference, suite, kind, losses=losses)
    answers = [(name, index % 10 < 4 * level, False, index) for index, name in enumerate(ids)]
    return measure(method, inference, suite, kind, verdicts_of(level, suite, n), answers)


def make_run(directory: Path, n: int = 40) -> Results:
    """A whole run directory; every prompt and response tries to break out of the page."""
    measured = {
        (method, inference, suite): measured_system(method, inference, level, suite, kind, n)
        for method, inference, level in SYSTEMS
        for suite, kind in SUITES.items()
    }
    last = ("mistake-analysis", "unguided")
    comparisons = [
        comparison
        for other in (("vanilla", "unguided"), ("sft", "unguided"))
        for suite in SUITES
        for comparison in compare(measured[(*last, suite)], measured[(*other, suite)], seed=1)
    ]
    results = Results(
        model="SmolLM2-135M-Instruct <b>",
        seed=17,
        systems=[system_row(measurement, seed=1) for measurement in measured.values()],
        comparisons=comparisons,
        yields={
            "induce": {
                "rows": 96,
                "passed": 90,
                "yield": 0.94,
                "guides": {"plain <i>": {"tried": 96, "passed": 60}, "prefill": {"tried": 36, "passed": 30}},
            },
            "analyze": {"rows": 90, "passed": 82, "yield": 0.91, "guides": {}, "reasons": {"refuses": 3, "cut": 5}},
        },
        judges={"evaluation": {"name": "probe-eval", "layer": 20, "auroc": {"pku": 0.8812, "xstest": 0.93}}},
        data={
            "amends": "0.1.0",
            "sets": {"instructions": {"source": ATTACK, "rows": n, "sha256": "5ad1"}},
            "training": {"sft": TRAINED, "mistake-analysis": TRAINED | {"samples": 77}},
        },
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(results.model_dump_json(indent=2))
    configuration = load_configuration(CONFIGS / "quickstart.yaml").model_copy(update={"model": ATTACK})
    write_json(directory / "run.json", {"configuration": configuration.model_dump(mode="json")})
    seconds = {"mistakes": 400.0, "analyses": 321.0, "sft: training": 61.4, "mistake-analysis: training": 75.2}
    write_json(directory / "timings.json", seconds)
    for method, inference, level in SYSTEMS:
        for suite, kind in SUITES.items():
            stem = directory / method / f"{inference}.{suite}"
            responses = [
                Response(
                    id=f"{suite}-{index}",
                    prompt=f"Prompt {suite}-{index} {ATTACK}",
                    response=f"Answer of {(method, inference, suite)} {ATTACK}",
                    finished=False,
                )
                for index in range(n)
            ]
            write_rows(Path(f"{stem}.responses.jsonl"), responses)
            if kind != "benign":
                write_rows(Path(f"{stem}.verdicts.jsonl"), verdicts_of(level, suite, n))
    for method, scale in (("sft", 1.0), ("mistake-analysis", 1.3)):
        log = {"log": [{"step": step, "loss": scale * (1 + 2 / step)} for step in range(1, 40)]}
        (directory / method / "training.json").write_text(json.dumps(log))
    instructions = [(f"m{index}", f"Prompt {index} {ATTACK}", f"Mistake {index} {ATTACK}") for index in range(5)]
    mistakes = [
        Mistake(id=name, prompt=prompt, response=bad, source="own", guide="plain", passed=True)
        for name, prompt, bad in instructions
    ]
    analyses = [
        Analysis(id=name, prompt=prompt, response=bad, analysis=f"It is harmful {ATTACK}", passed=True)
        for name, prompt, bad in instructions
    ]
    write_rows(directory / "mistakes.jsonl", mistakes)
    write_rows(directory / "analyses.jsonl", analyses)
    return results


class Page(HTMLParser):
    """Tags with their attributes, and all text with whether it lies inside <details>."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, bool]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((data, "details" in self.open))


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
    assert not [tag for tag, _ in page.tags if tag in ("script", "img", "iframe", "link", "object", "i", "b")]
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
    policies = [attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


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
    made = 2_000
    rows = [
        {"id": f"m{number}", "prompt": "p", "response": "bad " * 1_000, "source": "own", "passed": number % 2 == 0}
        for number in range(made)
    ]
    told = [row | {"analysis": "a", "passed": number % 3 == 0} for number, row in enumerate(rows)]
    answers = [row | {"id": f"red-team-{number}", "prompt": str(number)} for number, row in enumerate(rows)]
    results = make_run(tmp_path)
    files = {"mistakes": rows, "analyses": told, "sft/unguided.red-team.responses": answers}
    for name, found in files.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    results = results.model_copy(update={"systems": [row for row in results.systems if row.suite == "red-team"]})
    tracemalloc.start()
    lessons, samples = render._lessons(tmp_path, results.yields), render._samples(tmp_path, results)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6, "of 8 MB a file"
    assert [lesson.mistake.id for lesson in lessons] == drawn(f"m{number}" for number in range(0, made, 6))[:3]
    assert all(lesson.analysis and lesson.analysis.id == lesson.mistake.id for lesson in lessons)
    shown = [sample.answers[0].response.id for sample in samples]
    assert shown == drawn(f"red-team-{number}" for number in range(made))[:6]
    (tmp_path / "analyses.jsonl").unlink()
    lessons = render._lessons(tmp_path, results.yields)
    assert [lesson.mistake.id for lesson in lessons] == drawn(f"m{number}" for number in range(0, made, 2))[:3]
    assert not any(lesson.analysis for lesson in lessons)


def drawn(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())


def test_an_unjudged_answer_is_folded(tmp_path: Path) -> None:
    make_run(tmp_path)
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
            assert row.harmless_unrefused_rate is not None
            assert f"{100 * row.harmless_unrefused_rate:.1f}" in html
    assert "more harmless: the interval excludes zero" in html
    assert "refuses" in html and "62.5" in html, "yields"
    assert "0.8812" in html, "judge card"
    assert html.count("<svg") == 4, "two forests, one frontier, one loss plot"


def test_cost_and_provenance_are_in_the_page(page: Page) -> None:
    texts = [text for text, _ in page.texts]
    assert {"61", "75", "721", "77", "5,123"} <= set(texts), (
        "seconds of training and of making its data, samples, tokens"
    )
    assert "5ad1" in texts, "hashes of the sets"
    assert {METHODS[name].source for name, _, _ in SYSTEMS} <= set(texts), "what each method is, and from where"
    (shown,) = (text for text in texts if text.startswith('{\n  "configuration"'))
    assert json.loads(shown)["configuration"]["model"] == ATTACK


def test_the_frontier_has_every_method_and_each_price_that_was_measured(html: str) -> None:
    frontier = html[html.index("frontier0-") : html.index("What safety costs")]
    for text in ("vanilla", "sft", "mistake-analysis", "refused on over-refusal, %", "loss on benign, nats per token"):
        assert text in frontier
    assert "helpful score" not in frontier, "no judge rated it"


def test_nine_methods_look_different_in_the_frontier() -> None:
    places = [plots.Place(f"m{number}", True, number / 10, 0.5) for number in range(9)]
    drawn = plots.frontier_plot({"price": (places, False)}, "many")
    colors = [f"var(--series-{number})" for number in range(8)]
    assert all(color in drawn for color in colors)
    shapes = re.findall(r'<use href="#(many-m[0-9a-f]+)"[^>]*style="fill: (var\(--series-\d\))', drawn)
    assert len(set(shapes)) >= 9


def test_no_frontier_without_a_price(tmp_path: Path) -> None:
    results = make_run(tmp_path)
    alone = [row.model_dump() for row in results.systems if row.kind == "red-team"]
    (tmp_path / "results.json").write_text(Results(model="m", seed=1, systems=alone).model_dump_json())
    assert "What safety costs" not in write_report(tmp_path).read_text()


@pytest.mark.parametrize(("stages", "analyses"), [([], 0), (["induce"], 0), (["induce", "analyze"], 3)])
def test_what_methods_of_before_left_there_was_not_learnt_from(
    tmp_path: Path, stages: list[str], analyses: int
) -> None:
    results = make_run(tmp_path)
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
    make_run(tmp_path)
    path = tmp_path / "sft" / "unguided.benign.responses.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line | {"response": ""}) + "\n" for line in lines))
    (tmp_path / "run.json").write_text('{"configuration": {"model": "\\ud800"}}')
    assert "(empty)" in write_report(tmp_path).read_text(encoding="utf-8")


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"results\.json: no such file"):
        write_report(tmp_path)
    make_run(tmp_path)
    (tmp_path / "mistakes.jsonl").write_text('{"id": "a"}\n')
    (tmp_path / "run.json").write_text('{"configuration": 3}')
    with pytest.raises(StoreError, match=r"run\.json: configuration: "):
        write_report(tmp_path)
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match=r"mistakes\.jsonl: line 1: .*prompt"):
        write_report(tmp_path)
    (tmp_path / "mistakes.jsonl").write_text("{\n")
    with pytest.raises(InputError, match=r"mistakes\.jsonl: line 1: not JSON"):
        write_report(tmp_path)
    (tmp_path / "results.json").write_text('{"model": "m", "seed": 1}')
    with pytest.raises(InputError, match=r"results\.json: systems"):
        write_report(tmp_path)
