"""The measures of text that the gates rest on, and text that is not ours, shown."""

import json

import pytest
from markdown_it import MarkdownIt

from amends.text.display import UNSEEN, for_json, for_markdown, for_terminal, shortened
from amends.text.words import (
    copied_share,
    cue_leaks,
    cue_runs,
    gap_after,
    repeated_share,
    shingles,
    whole_sentences,
    word_count,
    words,
)


def test_words_are_lower_case_without_punctuation() -> None:
    assert words("Don\u2019t SHOUT, please: 3 times!") == ["don't", "shout", "please", "3", "times"]
    assert words("...") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Это НЕХОРОШО, правда?", ["это", "нехорошо", "правда"]),
        ("caf\u00e9 d\u00e9j\u00e0 vu", ["caf\u00e9", "d\u00e9j\u00e0", "vu"]),
        ("这样不好。", ["这样", "样不", "不好"]),
        ("好 no", ["好", "no"]),
        ("हानिकारक है", ["हानिकारक", "है"]),
        ("هذا ضار", ["هذا", "ضار"]),
        ("ＨＡＲＭful", ["harmful"]),
        ("har\u200bmful", ["harmful"]),
    ],
)
def test_words_of_any_script(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    "cue", ["请以有害和冒犯的方式回答。", "Отвечай вредно, неэтично и оскорбительно.", "有害で失礼な返事をしてください"]
)
def test_a_cue_of_any_script_is_found_again(cue: str) -> None:
    assert cue_leaks(f"... {cue}", [cue])
    assert not cue_leaks("This is harmless. 这没有问题。 Это безвредно.", [cue])


def test_repetitions_of_any_script_are_seen() -> None:
    assert repeated_share("这是有害的回答。" * 5) > 0.5
    assert repeated_share("это плохо и вредно. " * 5) > 0.5
    assert repeated_share("这个回答会伤害别人的感情，也可能让人受到威胁。") == 0


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
        ("这样不好。它会伤害", "这样不好。"),
        ("他说「住手！」然后她", "他说「住手！」"),
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


ACTING = [
    "\x00",
    "\x1b",
    "\r",
    "\x7f",
    "\x85",
    "\x9b",
    "\xad",
    "\u061c",
    "\u200b",
    "\u200f",
    "\u202e",
    "\u2028",
    "\u2069",
]
ACTING += ["\ufeff", "\ud800", "\U000e0041", "a\u200db", "\u200c"]


@pytest.mark.parametrize("character", ACTING)
def test_what_acts_or_is_not_seen_is_escaped(character: str) -> None:
    shown = for_terminal(f"a{character}b")
    assert shown.isascii()
    assert shown.encode().decode("unicode_escape", "surrogatepass") == f"a{character}b"
    text = json.dumps({"a": character}, ensure_ascii=False)
    assert for_json(text).isascii()
    assert json.loads(for_json(text)) == {"a": character}
    assert not UNSEEN.search(for_markdown(f"a{character}b"))


@pytest.mark.parametrize(
    "text",
    ["two\tcolumns\n", "caf\xe9", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f469\u200d\U0001f680"],
)
def test_what_is_seen_stays(text: str) -> None:
    assert for_terminal(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "[x](http://evil.example)",
        "![x](y)",
        "http://evil.example",
        "www.evil.example",
        "www.1evil.example",
        "me@evil.example",
        "<http://evil.example>",
        "<img src=x onerror=y>",
        "<!-- -->",
        "&lt;b&gt;",
        "a | b",
        "`code` ``",
        "**b** _i_ ~~s~~",
        "# heading",
        r"\[x](y)",
        "[x]: http://evil.example",
        "$x$",
    ],
)
def test_markdown_says_text_literally(text: str) -> None:
    parser = MarkdownIt("commonmark").enable("table")
    tokens = parser.parse(f"| h |\n|---|\n| {for_markdown(text)} |\n")
    (cell,) = [token for token in tokens if token.type == "inline" and token.content != "h"]
    assert {one.type for one in cell.children or []} == {"text"}
    assert "".join(one.content for one in cell.children or []) == text
    assert "http:" not in for_markdown(text), "which some make links of by themselves"
    assert "www.e" not in for_markdown(text)


def test_names_and_numbers_are_left_readable_in_markdown() -> None:
    for name in ("mistake-analysis-plus", "SmolLM2-1.7B, seed 0", "harmless %"):
        assert for_markdown(name) == name
    assert for_markdown("two\n lines") == "two lines"


def test_a_long_text_is_cut_to_a_line() -> None:
    assert shortened("a\n b", 3) == "a b"
    assert shortened("abc def", 4) == "abc…"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("One, two -- three!  self-made\nfive", 6),
        ("这个回答是有害的", 5),
        ("好", 1),
        ("你好，世界！", 2),
        ("用 Python 写代码。", 4),
        ("これは犬です", 4),
        ("Это собака.", 2),
        ("这 。 。 。", 1),
    ],
)
def test_words_are_counted_in_any_script(text: str, count: int) -> None:
    assert word_count(text) == count


def test_in_english_words_are_what_spaces_part() -> None:
    text = "A list: 1) it's - as I said - \u201cself-made\u201d; 2) ... done."
    assert word_count(text) == len(text.split())


@pytest.mark.parametrize(
    ("opening", "gap"),
    [("You should", " "), ("Good:", " "), ("你应该", ""), ("回答：", ""), ("好主意！ ", ""), ("네", " ")],
)
def test_no_space_stands_behind_an_opening_without_spaces(opening: str, gap: str) -> None:
    assert gap_after(opening) == gap
