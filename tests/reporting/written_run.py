"""A small finished run, written by hand, of which every text tries to break out of the page; and a reader of pages."""

import functools
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from amends.config.reading import load_configuration
from amends.evaluation.measurement import Measurement, measure
from amends.evaluation.results import Primary, Results, compare, corrected, system_row
from amends.records import Analysis, Inference, Mistake, ReferenceLoss, Response, Verdict, VerdictLabel
from amends.storage.files import write_json
from conftest import CONFIGS

SYSTEMS: list[tuple[str, Inference, float]] = [
    ("vanilla", "unguided", 0.45),
    ("vanilla", "guided", 0.6),
    ("sft", "unguided", 0.65),
    ("mistake-analysis", "unguided", 0.8),
    ("mistake-analysis", "guided", 0.9),
]
SUITES: dict[str, str] = {
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


def measured_system(method: str, inference: Inference, level: float, suite: str, kind: str, n: int) -> Measurement:
    ids = [f"{suite}-{index}" for index in range(n)]
    if kind == "benign":
        losses = [
            ReferenceLoss(id=name, nats=20 + level + index % 7, tokens=10 + index % 5) for index, name in enumerate(ids)
        ]
        return measure(method, inference, suite, kind, losses=losses)
    answers = [(name, index % 10 < 4 * level, False, index) for index, name in enumerate(ids)]
    return measure(method, inference, suite, kind, verdicts_of(level, suite, n), answers)


@functools.cache
def results_of(n: int) -> Results:
    """Of that many prompts a suite; made once, since intervals take seconds."""
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
    primary = Primary(a="mistake-analysis/unguided", b="sft/unguided", suite="red-team", metric="harmless_probability")
    return Results(
        primary=primary,
        model="SmolLM2-135M-Instruct <b>",
        seed=17,
        systems=[system_row(measurement, seed=1) for measurement in measured.values()],
        comparisons=corrected(comparisons, primary),
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


def make_run(directory: Path, n: int = 40) -> Results:
    """A whole run directory; every prompt and response tries to break out of the page."""
    results = results_of(n)
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
    """Tags with their attributes, and all text with whether it is folded as harmful: a plain <details> is only long."""

    VOID = ("meta", "img", "br", "link", "input", "hr")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.folds: list[bool] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, bool]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "details":
            self.folds.append(dict(attrs).get("class") != "plain")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "details":
            self.folds.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append((data, any(self.folds)))
