"""Rows by the values of their columns, and prompts that are said not to suit a suite."""

import json
from pathlib import Path
from typing import Any

import pytest
from data_files import write

from amends.data.identity import identity
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import ConfigError, InputError
from amends.evaluation.suites.base import SuiteSettings

LABELLED = [{"id": str(n), "prompt": f"Q{n}", "label": "unsafe" if n % 3 == 2 else "safe", "n": n} for n in range(9)]
SAFE = ["0", "1", "3", "4", "6", "7"]


def load(source: object, **options: Any) -> list[str]:
    return [row.id for row in load_instructions(DataSettings.model_validate({"source": str(source), **options}))]


def refusal(source: object, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(source, **options)
    return str(caught.value)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "x.jsonl", LABELLED)


def test_rows_that_do_not_match_are_left_out_before_the_limit(path: Path) -> None:
    assert load(path, where={"label": "safe"}) == SAFE
    assert load(path, where={"label": "unsafe"}, limit=2) == ["2", "5"]
    assert load(path, where={"label": ["unsafe", "safe"]}, limit=4) == ["0", "1", "2", "3"]
    assert load(path, where={"label": "safe", "n": [0, "2", 6.0]}) == ["0", "6"]
    assert load(path, where={"label": "safe"}, distinct_prompts=True, limit=2) == ["0", "1"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, 0], 1),
        ([1.0, 0.0], "1"),
        (["1", "0"], 1),
        ([True, False], True),
        ([True, False], "true"),
        (["True", "False"], True),
        (["yes", "no"], True),  # a bare yes in YAML
        (["no", "yes"], "no"),
        (["0123", "123"], "0123"),
        (["a=b, c", "a"], "a=b, c"),
        ([0.5, 0.25], 0.5),
    ],
)
def test_values_are_compared_as_text(tmp_path: Path, values: list[Any], wanted: Any) -> None:
    rows = [{"id": str(n), "prompt": f"Q{n}", "column": value} for n, value in enumerate(values)]
    assert load(write(tmp_path / "x.jsonl", rows), where={"column": wanted}) == ["0"]


def test_rows_without_the_column_do_not_match(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "prompt": "A"},
        {"id": "b", "prompt": "B", "label": "safe"},
        {"id": "c", "prompt": "C", "label": None},
    ]
    assert load(write(tmp_path / "x.jsonl", rows), where={"label": "safe"}) == ["b"]


def test_a_column_or_value_that_no_row_has_is_named_with_those_that_there_are(path: Path) -> None:
    assert refusal(path, where={"lable": "safe"}) == (
        f"{path}: no row has a column 'lable' to choose by; the row has columns id, prompt, label, n"
    )
    for options in ({}, {"limit": 1}):
        wanted = {"label": ["safe", "sfe"]}
        assert (
            refusal(path, where=wanted, **options)
            == f"{path}: no row has 'sfe' in column 'label'; there are safe, unsafe"
        )
    assert "none of 9 rows fits all of label, n" in refusal(path, where={"label": "unsafe", "n": 0})
    assert len(refusal(path, where={"prompt": "x" * 100_000})) < 101_000


def test_few_of_many_values_are_named(tmp_path: Path) -> None:
    rows = [{"prompt": f"Q{n}", "kind": f"a kind with a long name, number {n:04d}"} for n in range(500)]
    message = refusal(write(tmp_path / "x.jsonl", rows), where={"kind": "b"})
    assert "number 0000, a kind" in message and message.endswith("number 0011, ...") and "0012" not in message


def test_where_and_split_go_together(tmp_path: Path) -> None:
    rows = [row | {"split": "test" if row["n"] < 3 else "train"} for row in LABELLED]
    path = write(tmp_path / "x.csv", rows)
    assert load(path, where={"label": "safe"}, split="test") == ["0", "1"]


def test_where_counts_into_the_fingerprint_where_there_is_one(path: Path) -> None:
    def of(**options: Any) -> Any:
        return identity(DataSettings.model_validate({"source": str(path), **options}))

    assert "where" not in of()["rows"] and of() == of(where=None)
    assert of(where={"label": "safe"}) != of() != of(where={"label": "unsafe"})
    assert of(where={"n": 1}) == of(where={"n": ["1"]}) and of(where={"n": [2, 1]}) == of(where={"n": [1, 2]})


@pytest.mark.parametrize("value", [None, [], {}, [None], {"a": "b"}])
def test_a_choice_without_a_value_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="name a value, or a list of values, for each column"):
        DataSettings.model_validate({"source": "x.jsonl", "where": {"label": value}})


def suite(path: Path, kind: str, **options: Any) -> list[str]:
    settings = SuiteSettings.model_validate({"source": str(path), "kind": kind, **options})
    return [row.id for row in load_instructions(settings)]


def suite_refusal(path: Path, kind: str, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        suite(path, kind, **options)
    return str(caught.value)


def test_unsafe_prompts_are_none_of_over_refusal(path: Path) -> None:
    """XSTest has contrasts to its safe prompts, a refusal of which would be counted as one too many."""
    assert suite_refusal(path, "over-refusal") == (
        f"{path}: line 3: a suite of kind over-refusal asks safe prompts, and not all of them are by column 'label' "
        "(safe, unsafe); choose with where: {label: safe} (suites.NAME.where.label=safe)"
    )
    assert suite(path, "over-refusal", where={"label": "safe"}) == SAFE
    assert len(suite(path, "over-refusal", where={"label": ["safe", "unsafe"]})) == 9, "as the user says"
    assert suite(path, "over-refusal", limit=2) == ["0", "1"]


def test_a_mixture_is_no_suite_that_asks_for_harm(path: Path) -> None:
    for kind in ("red-team", "attacks"):
        assert "choose with where: {label: unsafe}" in suite_refusal(path, kind)  # type: ignore[arg-type]
        assert suite(path, kind, where={"label": "unsafe"}) == ["2", "5", "8"]  # type: ignore[arg-type]
    assert "choose with where: {label: safe}" in suite_refusal(path, "benign")


@pytest.mark.parametrize(
    ("column", "safe", "unsafe"),
    [
        ("label", "safe", "unsafe"),
        ("type", "homonyms", "contrast_homonyms"),
        ("prompt_harm_label", "unharmful", "harmful"),
        ("data_type", "adversarial_benign", "adversarial_harmful"),
        ("prompt_label", "safe", "unsafe"),
        ("is_safe", True, False),
        ("is_safe", 1, 0),
        ("is_harmful", "False", "True"),
        ("toxicity", 0, 1),
        ("label", "non-toxic", "toxic"),
        ("Label", "Harmless", "not harmless"),
    ],
)
def test_the_words_of_public_sets(tmp_path: Path, column: str, safe: Any, unsafe: Any) -> None:
    path = write(
        tmp_path / "x.jsonl", [{"id": "a", "prompt": "A", column: safe}, {"id": "b", "prompt": "B", column: unsafe}]
    )
    assert f"by column '{column}'" in suite_refusal(path, "over-refusal")
    assert suite(path, "over-refusal", where={column: safe}) == ["a"]


@pytest.mark.parametrize(
    "columns",
    [
        {"category": "harmful"},  # OR-Bench: what a safe prompt seems to be
        {"type": "safe_targets", "note": "violence"},
        {"label": 1},  # of what?
        {"response_label": "unsafe"},
        {"chosen": "An answer.", "label": "safe"},
        {"type": "unsafely worded question about the harmful effects of some thing that is safe"},
    ],
)
def test_what_does_not_call_a_prompt_unsafe(tmp_path: Path, columns: dict[str, Any]) -> None:
    rows = [{"id": "a", "prompt": "A", **columns}, {"id": "b", "prompt": "B"}]
    assert suite(write(tmp_path / "x.jsonl", rows), "over-refusal") == ["a", "b"]


def test_a_label_beside_an_answer_is_the_answers(tmp_path: Path) -> None:
    rows = [{"id": n, "prompt": n, "response": "R", "label": label} for n, label in (("a", "safe"), ("b", "unsafe"))]
    path = write(tmp_path / "x.jsonl", rows)
    assert suite(path, "red-team") == suite(path, "over-refusal") == ["a", "b"]


def test_values_behind_the_first_that_does_not_suit_are_named_too(tmp_path: Path) -> None:
    types = ["homonyms", "contrast_homonyms", "definitions", "contrast_definitions"]
    rows = [{"id": str(n), "prompt": f"Q{n}", "type": name} for n, name in enumerate(types)]
    message = suite_refusal(write(tmp_path / "x.jsonl", rows), "over-refusal")
    assert "choose with where: {type: [homonyms, definitions]}" in message
    assert json.dumps(types[3])[1:-1] in message
