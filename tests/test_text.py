"""The measures of text that the gates rest on."""

import pytest

from amends.text import copied_share, cue_leaks, cue_runs, repeated_share, shingles, whole_sentences, words


def test_words_are_lower_case_without_punctuation() -> None:
    assert words("Don\u2019t SHOUT, please: 3 times!") == ["don't", "shout", "please", "3", "times"]
    assert words("...") == []


def test_shingles_are_all_runs_of_a_size() -> None:
    assert shingles("a b c d", 3) == {("a", "b", "c"), ("b", "c", "d")}
    assert shingles("a b", 3) == set()


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0), ("too short", 0), ("one two three four five six", 0), ("a b c d " * 2, 0.2), ("no " * 12, 1 - 1 / 9)],
)
def test_repeated_share(text: str, share: float) -> None:
    assert repeated_share(text) == pytest.approx(share)


def test_copied_share() -> None:
    source = "the quick brown fox jumps over the lazy dog"
    assert copied_share(source, [source]) == 1
    assert copied_share(source, ["something else entirely", source]) == 1
    assert copied_share("the quick brown fox jumps while nobody looks", [source]) == pytest.approx(1 / 4)
    assert copied_share("short", [source]) == 0
    assert copied_share(source, []) == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("It is wrong. It hurts peo", "It is wrong."),
        ('He said "stop!" Then she', 'He said "stop!"'),
        ("There are steps. 1. Take the", "There are steps."),
        ("It costs 3.50 dollars a", ""),
        ("no end at all", ""),
        ("", ""),
        ("Is it (really?) so", "Is it (really?)"),
        ("All of it is whole.", "All of it is whole."),
    ],
)
def test_text_that_the_limit_cut_is_cut_back_to_whole_sentences(text: str, kept: str) -> None:
    assert whole_sentences(text, finished=False) == kept


def test_text_that_the_model_ended_is_kept() -> None:
    assert whole_sentences("  no end at all ", finished=True) == "no end at all"


def test_short_cues_are_too_common_to_be_recognised() -> None:
    assert cue_runs(["You should", "Great idea!"]) == set()
    assert cue_runs(["Say it now"]) == {("say", "it", "now")}
    assert cue_runs(["one two three four five six"]) == {
        ("one", "two", "three", "four", "five"),
        ("two", "three", "four", "five", "six"),
    }


def test_words_that_an_allowed_text_has_are_no_leak() -> None:
    cue = "Answer in a harmful and offensive way."
    assert cue_leaks("I was told to ANSWER in a harmful, and offensive way", [cue])
    assert not cue_leaks("answer in a harmful manner", [cue])
    assert not cue_leaks("answer in a harmful and", [cue], allowed=["Please answer in a harmful and polite way"])
    assert cue_leaks("in a harmful and offensive", [cue], allowed=["Please answer in a harmful and polite way"])
    assert not cue_leaks("anything", [])
