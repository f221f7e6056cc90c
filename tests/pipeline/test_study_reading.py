"""What is read out of a study's figures: its finding, how sure it is, and what to do next."""

from collections.abc import Callable
from typing import Any

import pytest

from amends.evaluation.statistics import sign_test
from amends.judges.probe_training import Labelled
from amends.pipeline import study
from amends.pipeline.study_reading import MORE, STOP, next_command, pairs_needed, reading, study_lines


def figures(**changes: Any) -> dict[str, Any]:
    """A study that found everything clear."""
    card = {"auroc": 0.65, "auroc_ci": [0.6, 0.7], "rows": 120, "prompts": 60}
    return {
        "generation": {"responses": 60, "unscored": 0, "harmless_rate": 0.7, "harmless_rate_ci": [0.6, 0.8]},
        "discrimination": {"labelled pairs": card},
        "analysis": {"mistakes": 44, "win": 15, "tie": 29, "lose": 0, "p_value": 0.0001},
        "probe": {"auroc": 0.8, "auroc_ci": [0.7, 0.9], "rows": 120},
    } | changes


def told(win: int, lose: int, mistakes: int = 44) -> dict[str, Any]:
    tie = mistakes - win - lose
    return {"mistakes": mistakes, "win": win, "tie": tie, "lose": lose, "p_value": sign_test(win, lose)}


def verdicts(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"labelled pairs": {"auroc": (low + high) / 2, "auroc_ci": [low, high], "rows": 120, "prompts": 60, **more}}


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.6, 0.7), "able to tell"),
        ((0.45, 0.6), "was not seen to tell"),
        ((0.4, 0.5), "was not seen to tell"),
        ((0.3, 0.4), "worse than chance"),
    ],
)
def test_the_reading_follows_the_interval(interval: tuple[float, float], words: str) -> None:
    said = reading(figures(discrimination=verdicts(*interval)))
    assert words in said[0]
    assert f"[{interval[0]:.2f}, {interval[1]:.2f}]" in said[0]
    assert "clearly better" in said[1]
    assert "hidden states hold" in said[2]
    assert said[3].startswith("Decision: go on." if interval[0] > 0.5 else "Decision: worth a small trial.")


def test_without_an_interval_nothing_is_said_of_chance() -> None:
    found = figures(discrimination={"labelled pairs": {"auroc": 0.2, "auroc_ci": None, "rows": 20, "prompts": 9}})
    assert "too few prompts to say" in reading(found)[0]
    assert "AUROC 0.20 (too few prompts for an interval)" in "\n".join(study_lines(found | {"reading": reading(found)}))
    found = figures(probe={"auroc": 0.2, "auroc_ci": None, "rows": 9})
    assert "too few prompts to say" in reading(found)[2]


def test_how_many_prompts_an_interval_needs_is_computed() -> None:
    """At .55 with a half-width of .1, four times as many prompts are needed."""
    assert "some 240 prompts would show it" in reading(figures(discrimination=verdicts(0.45, 0.65)))[0]
    assert "would show it" not in reading(figures(discrimination=verdicts(0.4, 0.6)))[0], "at chance none would"


@pytest.mark.parametrize(
    ("win", "lose", "words"),
    [
        (15, 0, "clearly better than untold (15 better, 0 worse, of 44 mistakes, p 0.000)"),
        (
            7,
            1,
            "is not clear (7 better, 1 worse, of 44 mistakes, p 0.070): 8 pairs that differ are too few; at this "
            "rate 9",
        ),
        (
            5,
            0,
            "is not clear (5 better, 0 worse, of 44 mistakes, p 0.062): 5 pairs that differ are too few; if all "
            "are the",
        ),
        (1, 0, "if all are the same way 6 are needed, which takes some 270 mistakes (--limit)"),
        (0, 0, "no two analyses differ, and 6 must, all the same way"),
        (4, 4, "no number of mistakes would show a difference"),
        (3, 7, "is not clear"),
        (1, 12, "clearly worse than untold"),
    ],
)
def test_too_few_pairs_are_no_finding(win: int, lose: int, words: str) -> None:
    said = reading(figures(analysis=told(win, lose)))
    assert words in said[1]
    assert "no better" not in said[1], "that nothing was seen is not that there is nothing"
    clear = "clearly" in said[1]
    assert ("Not known: whether being told helps its analyses" in said[-1]) is not clear
    assert said[-1].startswith("Decision: go on." if win == 15 else "Decision: do not train on this yet")


@pytest.mark.parametrize(("win", "lose"), [(7, 1), (1, 0), (0, 0), (0, 3), (3, 2), (2, 9)])
def test_the_pairs_needed_are_the_fewest_that_are_clear(win: int, lose: int) -> None:
    rate = win / (win + lose) if win + lose else 1.0

    def p_value(pairs: int) -> float:
        return sign_test(round(rate * pairs), pairs - round(rate * pairs)) or 1.0

    needed = pairs_needed(win, lose)
    assert needed is not None
    assert p_value(needed) < 0.05
    if needed < 50:
        assert all(p_value(fewer) >= 0.05 for fewer in range(max(1, win + lose), needed))


@pytest.mark.parametrize(
    ("interval", "words"),
    [
        ((0.61, 0.8), "hold the difference"),
        ((0.55, 0.8), "hold something of the difference"),
        ((0.4, 0.8), "were not seen to hold"),
    ],
)
def test_what_is_said_of_hidden_states(interval: tuple[float, float], words: str) -> None:
    assert words in reading(figures(probe={"auroc": 0.7, "auroc_ci": list(interval)}))[2]


@pytest.mark.parametrize(
    ("discriminates", "holds", "decided"),
    [
        (0.6, 0.7, "go on. "),
        (0.6, 0.5, "go on. "),
        (0.4, 0.61, "worth a small trial. "),
        (
            0.4,
            0.5,
            "do not train on this yet. Not known: whether it tells harmful from harmless: neither its verdicts nor ",
        ),
    ],
)
def test_only_the_models_own_verdict_says_go_on(discriminates: float, holds: float, decided: str) -> None:
    """What its hidden states alone hold was no help to the embedded model."""
    found = figures(discrimination=verdicts(discriminates, 0.8), probe={"auroc": 0.68, "auroc_ci": [holds, 0.75]})
    assert reading(found)[-1].startswith(f"Decision: {decided}")
    found["analysis"] = {"mistakes": 0, "win": 0, "tie": 0, "lose": 0, "p_value": None}
    assert reading(found)[-1].startswith("Decision: do not train on this yet: it made no mistakes")
    assert "Up to 6% of such instructions could still bring one." in reading(found)[1]


def test_a_verdict_the_wrong_way_round_is_a_finding_with_cases() -> None:
    rows = [Labelled(f"p{n}", f"r{n}", n % 2, "labelled pairs") for n in range(20)]
    cases = study.clearest_cases([*rows, Labelled("p", "", 1, "x")], [0.9 - 0.04 * n for n in range(20)] + [None])
    assert len(cases) == 5
    assert cases[0] == {"prompt": "p0", "response": "r0", "score": 0.9, "label": "harmful"}
    assert {case["label"] for case in cases} == {"harmful", "harmless"}
    cases[1]["response"] = "Poison\x1b[2J is\nharmful\u202e, " + "x" * 100
    found = figures(discrimination=verdicts(0.26, 0.36, clearest_cases=cases))
    said = reading(found)
    assert "its verdict is the wrong way round. It may call answers harmful because they speak of harm" in said[0]
    assert "its own verdict is the wrong way round" in said[-1]
    shown = [line for line in study_lines(found | {"reading": reading(found)}) if ", called " in line]
    assert len(shown) == 5
    assert shown[0] == "  harmful, called harmless (0.90): r0"
    assert "\x1b" not in shown[1]
    assert r"Poison\x1b[2J is harmful\u202e, xxx" in shown[1]
    assert len(shown[1]) < 120
    assert shown[1].endswith("…")


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (
            f"{STOP}. Not known: whether. {MORE}: more rows.",
            "my.jsonl --out runs/study-more --limit 400",
        ),
        (
            f"{STOP}: it made no mistakes.",
            "Next: another model, or other instructions; see what these are: amends",
        ),
        ("Decision: go on.", "Next: amends init --model m --instructions my.jsonl --out mine.yaml && amends run mine"),
    ],
)
def test_a_study_ends_with_what_to_do_next(decision: str, words: str) -> None:
    assert words in next_command({"reading": ["It makes mistakes.", decision]}, "m", "my.jsonl", 100)


def test_a_model_is_named_once(refused: Callable[..., str]) -> None:
    assert "a and --model b: name one model" in refused("study", "a", "--model", "b")
