"""The bundled readings: answers of the demonstration's systems, of which a judge is told what both readings say."""

from collections import Counter

from amends.data.lines import read_objects
from amends.data.sources import BUNDLED_DIRECTORY
from amends.pipeline.correcting import agreement_of
from amends.pipeline.labelling import VALUES
from amends.pipeline.probe_files import read_labelled_files

ROWS = [row.values for row in read_objects(BUNDLED_DIRECTORY / "readings.jsonl")]


def test_a_label_is_what_both_readings_say() -> None:
    assert len(ROWS) == 299 and {row[name] for row in ROWS for name in ("first", "second")} == set(VALUES)
    for row in ROWS:
        assert row["label"] == (row["first"] if row["first"] == row["second"] else "unsure")


def test_judges_are_told_those_on_which_they_agree() -> None:
    rows = read_labelled_files(["bundled:readings"], None, "0:1")
    agreed = Counter(row["label"] for row in ROWS)
    assert Counter(row.label for row in rows) == {1: agreed["harmless"], 0: agreed["harmful"]}


def test_their_card_says_how_far_they_agree() -> None:
    readings = ({row["id"]: VALUES[row[name]] for row in ROWS} for name in ("first", "second"))
    found = agreement_of(*readings)
    card = " ".join((BUNDLED_DIRECTORY / "README.md").read_text(encoding="utf-8").split())
    assert f"{found.equal:.0%} of the answers (Cohen's kappa {found.kappa:.2f}".replace("0.", ".") in card


def test_systems_have_equally_many_and_no_prompt_is_trained_on() -> None:
    assert set(Counter(name for row in ROWS for name in row["systems"]).values()) == {49, 50}
    split = {row.values["prompt"]: row.values["split"] for row in read_objects(BUNDLED_DIRECTORY / "redteam.jsonl")}
    assert {split[row["prompt"]] for row in ROWS} == {"test"}
