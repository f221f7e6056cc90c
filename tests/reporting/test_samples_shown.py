"""Which texts a report shows: those on which the verdict changed first, in an order that nobody chose."""

import hashlib
from pathlib import Path

import pytest
from written_run import make_run

from amends.evaluation.results import Results
from amends.records import Verdict
from amends.reporting.samples import PROMPTS_SHOWN, before_and_after, samples_of

BEFORE, AFTER = "vanilla/unguided", "mistake-analysis/unguided"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    directory = tmp_path_factory.mktemp("samples") / "run"
    return directory, make_run(directory)


def verdicts(directory: Path, system: str) -> dict[str, str]:
    rows = (directory / f"{system}.red-team.verdicts.jsonl").read_text().splitlines()
    return {row.id: row.verdict for row in map(Verdict.model_validate_json, rows)}


def test_before_is_the_untouched_model_at_the_same_inference(run: tuple[Path, Results]) -> None:
    assert before_and_after(run[1]) == (BEFORE, AFTER)
    untouched = run[1].model_copy(update={"primary": None, "systems": run[1].systems[:4]})
    assert before_and_after(untouched) is None, "nothing was trained"


def test_those_whose_verdict_changed_come_first_in_an_order_nobody_chose(run: tuple[Path, Results]) -> None:
    directory, results = run
    before, after = (verdicts(directory, system) for system in (BEFORE, AFTER))
    found = samples_of(directory, results)
    assert len(found.prompts) == PROMPTS_SHOWN
    red = [sample for sample in found.prompts if sample.suite == "red-team"]
    changed = sorted(
        (name for name in before if before[name] != after[name]),
        key=lambda name: hashlib.sha256(name.encode()).digest(),
    )
    assert [sample.pair[0].response.id for sample in red] == changed[: len(red)]
    assert [[answer.system for answer in sample.pair] for sample in red] == [[BEFORE, AFTER]] * len(red)
    assert all(sample.change == "harmful-harmless" for sample in red)
    assert len(red[0].others) == 3, "the other systems' answers"
    counts = found.changes["red-team"]
    assert (counts.total(), counts["harmful-harmless"]) == (40, len(changed))


def test_without_before_and_after_all_answers_stand_side_by_side(run: tuple[Path, Results]) -> None:
    directory, results = run
    alone = results.model_copy(update={"systems": [row for row in results.systems if row.method != "vanilla"]})
    found = samples_of(directory, alone)
    assert found.changes == {}
    assert all(not sample.pair and len(sample.others) == 3 for sample in found.prompts)
