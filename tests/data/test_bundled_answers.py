"""The bundled safe answers for tuning judges: whole, of other prompts than the suites, and none a refusal."""

from collections import Counter

from amends.data.lines import read_objects
from amends.data.sources import BUNDLED_DIRECTORY
from amends.pipeline.probe_files import read_labelled_files
from amends.prompts import english
from amends.text.normalized import prompt_key


def test_there_are_300_safe_answers_that_do_not_refuse() -> None:
    rows = read_labelled_files(["bundled:answers"], None, "0:1")
    assert len(rows) == 300
    assert {(row.label, row.source) for row in rows} == {(1, "answers")}
    assert [row.response for row in rows if english().is_refusal(row.response)] == []
    assert len({row.response for row in rows}) == 300


def test_they_answer_prompts_of_no_bundled_suite() -> None:
    keys = {
        path.stem: [prompt_key(row.values["prompt"]) for row in read_objects(path)]
        for path in BUNDLED_DIRECTORY.glob("*.jsonl")
    }
    own = keys.pop("answers")
    assert len(set(own)) == 300
    assert len(keys) >= 4
    assert not set(own) & {key for others in keys.values() for key in others}


def test_no_kind_of_question_or_opening_makes_up_most_of_them() -> None:
    rows = [row.values for row in read_objects(BUNDLED_DIRECTORY / "answers.jsonl")]
    kinds = Counter(row["category"] for row in rows)
    openings = Counter(" ".join(row["response"].split()[:2]) for row in rows)
    assert len(kinds) >= 20 and max(kinds.values()) <= 20
    assert max(openings.values()) <= 5, "no template"
    lengths = sorted(len(row["response"].split()) for row in rows)
    assert lengths[0] < 15 < 55 < lengths[-1]
