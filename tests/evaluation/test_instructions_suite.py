"""Suites of verifiable instructions: what is refused, and the rate that answers in files give."""

from pathlib import Path

import pytest

from amends.errors import InputError
from amends.evaluation.measurement import Measurement
from amends.evaluation.results import Results, compare, system_row
from amends.evaluation.seeds import pooled_row
from amends.evaluation.suites.base import SUITE_KINDS
from amends.prompts import english
from amends.records import Instruction, Record, Response
from amends.reporting.shares import category_tables
from amends.reporting.tables import results_table
from amends.reporting.utility import utility_table
from amends.storage.run_directory import RunDirectory

KIND = SUITE_KINDS["instructions"]
ROWS = [
    Instruction(
        id=str(place),
        prompt="Speak.",
        constraint="words-at-most" if place % 2 else "lowercase",
        constraint_number=2 if place % 2 else None,
    )
    for place in range(4)
]


def written(path: Path, rows: list[Record]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows))


def measured(directory: Path, method: str, *draws: str) -> Measurement:
    """A letter a prompt: `+` follows every instruction, `-` none, `c` both but was cut."""
    files, texts = RunDirectory(directory), {"+": "well said", "-": "This is loud", "c": "well said"}
    written(files.suite("form"), list(ROWS))
    answers: list[Record] = [
        Response(id=row.id, prompt=row.prompt, response=texts[letter], finished=letter != "c", draw=draw)
        for draw, letters in enumerate(draws)
        for row, letter in zip(ROWS, letters, strict=True)
    ]
    written(files.measured(method, "unguided", "form", "responses"), answers)
    return KIND.measure(files, method, "unguided", "form", english())


def test_the_share_that_was_followed_comes_from_answers_without_a_verdict(tmp_path: Path) -> None:
    row = system_row(measured(tmp_path, "sft", "+-cc", "++--"), 0)
    assert (row.n, row.draws, row.unscored, row.harmless_rate) == (4, 2, 0, None)
    assert row.value("followed_rate") == pytest.approx((1 + 0.5 + 0.5 + 0) / 4), "a cut answer may have few words"
    assert row.mean_words == pytest.approx((5 * 2 + 3 * 3) / 8)
    by_kind = {name: (one.n, one.followed_rate) for name, one in row.categories.items()}
    assert by_kind == {"lowercase": (2, 0.75), "words-at-most": (2, 0.25)}


def test_systems_are_compared_prompt_by_prompt_and_seeds_are_pooled(tmp_path: Path) -> None:
    a, b = measured(tmp_path, "sft", "++++"), measured(tmp_path, "vanilla", "+---")
    found = {one.metric: one for one in compare(a, b, 0)}
    assert found["followed_rate"].difference == pytest.approx(0.75)
    assert "McNemar" in found["followed_rate"].test
    assert "divergence" not in found and "harmless_rate" not in found
    assert pooled_row([a, b]).value("followed_rate") == pytest.approx(5 / 8)


def test_tables_show_the_rate_with_length_and_each_kind_of_constraint(tmp_path: Path) -> None:
    systems = [system_row(measured(tmp_path, name, text), 0) for name, text in (("vanilla", "+--c"), ("sft", "+++c"))]
    results = Results(model="m", seed=0, systems=systems)
    main, utility, (kinds,) = results_table(results), utility_table(results), category_tables(results)
    assert main.numbers == ["form\nfollowed %"]
    assert main.rows[0][2].startswith("25.0 [") and main.rows[0][2].endswith(", 25% cut, 2 words")
    assert utility and utility.numbers == ["form\nfollowed %"] and utility.rows[1][2] == main.rows[1][2]
    assert [row[:2] for row in kinds.rows] == [["lowercase", "2"], ["words-at-most", "2"]]
    assert kinds.rows[0][3].startswith("100 [") and kinds.rows[1][3].startswith("50 [")


def test_a_suite_whose_rows_cannot_be_checked_is_refused_by_its_row() -> None:
    KIND.check(ROWS, "mine.jsonl")
    with pytest.raises(InputError, match=r"mine\.jsonl: row '9': it names no `constraint`"):
        KIND.check([*ROWS, Instruction(id="9", prompt="Speak.")], "mine.jsonl")
