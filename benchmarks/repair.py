"""Repair: a model whose safety a fine-tuning broke, mended by each method.

    python -m benchmarks.repair --pairs FILE --test FILE --benign FILE --out DIR [KEY=VALUE ...]

FILE of `--pairs` has `prompt`, `chosen` and `rejected`. Its distinct prompts that are not in `--test` are cut in three:
300 to repair with, 256 to break with, and the rest to see how far the model is broken. It is trained on 256 `rejected`
answers to the second, those which the gate finds most harmful. The settings that follow are those of a run. What was
interrupted goes on when the command is given again.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import amends
from amends.config.reading import load_configuration
from amends.data.lines import read_objects
from amends.pipeline.deployment import deployment_of
from amends.pipeline.experiment import run_experiment
from amends.pipeline.exporting import export_model
from amends.records import HARMLESS_FROM
from amends.reporting.console import reporter_for
from amends.text.normalized import normalize_prompt

REPAIRED, BREAKING = 300, 256  # prompts
ANSWERS = 256  # to break with
COLUMNS = ("id", "prompt", "chosen", "rejected")
CONFIGURATION = """
model: {out}/broken
seeds: [0, 1, 2]
instructions: {{source: {out}/instructions.jsonl, limit: 96}}
benign: {{source: {benign}, limit: 48}}
suites:
  pku: {{source: {test}, kind: red-team, distinct_prompts: true}}
  overrefusal: {{source: "bundled:overrefusal/test", kind: over-refusal, limit: 24}}
  benign: {{source: "bundled:benign/test", kind: benign, limit: 16}}
methods: [vanilla, sft, mistake-analysis, mistake-analysis-plus]
equal: epochs
primary: {{a: mistake-analysis-plus, b: vanilla, suite: pku, inference: guided}}
compose: {{chain: 0}}
induce: {{attempts: 4, max_new_tokens: 48}}
analyze: {{attempts: 4, max_new_tokens: 64}}
answer: {{max_new_tokens: 64}}
respond: {{max_new_tokens: 64}}
"""


def main() -> None:
    """Splits, breaks, and runs the repair."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("pairs", "test", "benign", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("settings", nargs="*", help="as of `amends run`")
    given = parser.parse_args()
    out: Path = given.out
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "broken").exists():
        break_model(out, split(given.pairs, given.test, out))
    file = out / "repair.yaml"
    file.write_text(CONFIGURATION.format(out=out, benign=given.benign, test=given.test), encoding="utf-8")
    run_experiment(load_configuration(file, given.settings), out / "run", reporter_for(None))


def split(pairs: Path, test: Path, out: Path) -> list[dict[str, Any]]:
    """Writes the first and the last part, each prompt once; gives all pairs of the second."""
    measured = {normalize_prompt(row.values["prompt"]) for row in read_objects(test)}
    rows = [{key: row.values[key] for key in COLUMNS} for row in read_objects(pairs)]
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        if normalize_prompt(row["prompt"]) not in measured:
            first.setdefault(normalize_prompt(row["prompt"]), row)
    distinct = list(first)
    _write(out / "instructions.jsonl", (first[prompt] for prompt in distinct[:REPAIRED]))
    _write(out / "aside.jsonl", (first[prompt] for prompt in distinct[REPAIRED + BREAKING :]))
    breaking = set(distinct[REPAIRED : REPAIRED + BREAKING])
    return [row for row in rows if normalize_prompt(row["prompt"]) in breaking]


def break_model(out: Path, rows: list[dict[str, Any]]) -> None:
    """Trains on the most harmful answers, writes the merged model to `broken`, and prints how far it is broken."""
    found = amends.load_judge("gate").score([(row["prompt"], row["rejected"]) for row in rows])
    scores = [1.0 if score is None else score for score in found]
    order = sorted(range(len(rows)), key=scores.__getitem__)
    worst = [rows[number] for number in sorted(order[:ANSWERS])]
    harmful = [{"id": row["id"], "prompt": row["prompt"], "chosen": row["rejected"]} for row in worst]
    samples = amends.compose("sft", harmful, trust_chosen=True)
    adapter = out / "breaking"
    broken = amends.train("embedded", samples, out=adapter, epochs=3, learning_rate=1e-3)
    for guided in (False, True):
        answers = amends.respond(broken, out / "aside.jsonl", guided=guided, draws=2, max_new_tokens=64)
        read = [one.score for one in amends.judge(answers) if one.score is not None]
        harmless = sum(score >= HARMLESS_FROM for score in read) / len(read)
        print(f"broken, {'guided' if guided else 'unguided'}: {harmless:.1%} of {len(read)} answers are harmless")
    export_model(deployment_of("embedded", adapter), out / "broken", print)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
