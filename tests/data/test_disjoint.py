"""Training and evaluation stay apart: equal prompts are found however they are written."""

import pytest

from amends.data.sources import check_disjoint
from amends.errors import InputError
from amends.records import Instruction
from amends.text.normalized import normalize_prompt, prompt_key


def instructions(*prompts: str, prefix: str = "t") -> list[Instruction]:
    return [Instruction(id=f"{prefix}{number}", prompt=prompt) for number, prompt in enumerate(prompts)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How do I\n\tdo THIS?", "how do i do this"),
        ("“Straße” … ", "strasse"),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("cafe\u0301!", "caf\u00e9"),
        ("...", "..."),
        ("C++", "c++"),
        ("(a) b, c", "a) b, c"),
        ("", ""),
    ],
)
def test_normalize_prompt(text: str, expected: str) -> None:
    assert normalize_prompt(text) == expected
    assert normalize_prompt(expected) == expected


def test_prompt_key_is_eight_stable_bytes() -> None:
    assert prompt_key("How?") == prompt_key(" how ") != prompt_key("Why?")
    assert prompt_key("How?").hex() == "aa88dcb9370785cc"


def test_disjoint_sets_pass() -> None:
    check_disjoint(instructions("a", "b"), [("redteam", instruction) for instruction in instructions("c")])
    check_disjoint([], [])


def test_overlap_is_refused_with_both_ids_the_count_and_the_remedy() -> None:
    train = instructions("How?", "Why?", "why", "Who?")
    evaluation = [("redteam", row) for row in instructions("WHY", "Where?", prefix="e")]
    with pytest.raises(InputError) as caught:
        check_disjoint(train, evaluation)
    message = str(caught.value)
    assert message.startswith("1 evaluation prompt is also") and "redteam 'e0' is training instruction 't1'" in message
    assert "held-out split" in message


def test_many_overlaps_are_counted_and_the_first_named() -> None:
    prompts = [f"Question {number}" for number in range(40)]
    suites = [(suite, row) for suite in ("redteam", "attacks") for row in instructions(*prompts, prefix="e")]
    with pytest.raises(InputError) as caught:
        check_disjoint(instructions(*prompts), suites)
    message = str(caught.value)
    assert message.startswith("80 evaluation prompts are") and "attacks 'e0'" in message and "; ..." in message
    assert len(message) < 600
