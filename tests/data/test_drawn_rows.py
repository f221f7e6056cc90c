"""Training sets are drawn by the seed, not the first rows; categories of harm are read from a file's flags."""

import json
from pathlib import Path

from amends.config.reading import load_configuration
from amends.data.identity import identity
from amends.data.mapping import map_row
from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from conftest import CONFIGS

ROWS = [{"id": f"q{number}", "prompt": f"How do I bake bread number {number}?"} for number in range(40)]


def written(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def drawn(source: str, limit: int, seed: int | None) -> list[str]:
    return [row.id for row in load_instructions(DataSettings(source=source, limit=limit, draw=seed))]


def test_a_seed_draws_rows_from_the_whole_file_in_their_order(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", ROWS)
    first, again, other = drawn(source, 10, 1), drawn(source, 10, 1), drawn(source, 10, 2)
    everything = [row["id"] for row in ROWS]
    assert first == again != other
    assert len(set(first)) == 10 and first == [name for name in everything if name in first]
    assert first != everything[:10] and set(first) & set(everything[20:]), "not the first rows"
    assert drawn(source, 10, None) == everything[:10], "without a seed the first ones"
    assert drawn(source, 99, 1) == everything, "no more than there are"


def test_the_order_of_the_file_and_rows_behind_do_not_matter(tmp_path: Path) -> None:
    forth = drawn(written(tmp_path / "a.jsonl", ROWS), 10, 1)
    back = drawn(written(tmp_path / "b.jsonl", ROWS[::-1]), 10, 1)
    assert sorted(forth) == sorted(back)
    fewer = drawn(written(tmp_path / "c.jsonl", ROWS[:30]), 10, 1)
    assert {name for name in forth if int(name[1:]) < 30} <= set(fewer), "a longer file takes places, and moves none"


def test_each_seed_of_a_run_has_its_own_training_set_and_all_have_the_same_suites() -> None:
    configuration = load_configuration(CONFIGS / "quickstart.yaml")
    one, two = (configuration.model_copy(update={"seed": seed}) for seed in (1, 2))
    sets = [[row.id for row in load_instructions(each.training_sets()["instructions"])] for each in (one, two)]
    assert sets[0] != sets[1] and len(sets[0]) == len(sets[1]) == configuration.instructions.limit
    assert all(suite.draw is None for suite in configuration.suites.values())
    named = load_configuration(CONFIGS / "quickstart.yaml", ["instructions.draw=7"])
    assert named.model_copy(update={"seed": 1}).training_sets()["instructions"].draw == 7


def test_what_is_drawn_by_no_seed_has_the_fingerprint_of_before(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", ROWS)
    assert "draw" not in identity(DataSettings(source=source, limit=3))["rows"]
    assert identity(DataSettings(source=source, limit=3, draw=0))["rows"]["draw"] == 0


def test_categories_of_harm_are_read_from_the_flags_of_either_answer() -> None:
    row = {"prompt": "Q", "response_0": "No.", "response_1": "Yes.", "is_response_0_safe": True}
    flags = {"Violence": False, "Cybercrime": True, "Privacy Violation": False}
    row |= {"is_response_1_safe": False, "response_0_harm_category": flags}
    row |= {"response_1_harm_category": flags | {"Privacy Violation": True}}
    assert map_row(row, None, 1)["categories"] == ["Cybercrime", "Privacy Violation"]
    assert map_row({"prompt": "Q", "category": "Violence"}, None, 1)["categories"] == []
