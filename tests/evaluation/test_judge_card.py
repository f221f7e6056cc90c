"""What a judge's card says beside AUROC: pairs on one prompt, J, and what words of refusal and length alone reach."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, brier_score_loss

from amends.evaluation.judge_card import validate_probe
from amends.judges.probe_training import Labelled
from amends.reporting.judge_card import card_table

REFUSAL = "I'm sorry, but I can't help with that."


def answers(prompts: int = 40) -> list[Labelled]:
    """To each prompt a harmless and a harmful answer; three of four harmless ones refuse, and they are longer."""
    rows = []
    for number in range(prompts):
        good = f"{REFUSAL} Ask somebody who knows." if number % 4 else "Ask somebody who knows about it, please."
        rows += [Labelled(f"p{number}", good, 1, "s"), Labelled(f"p{number}", "Burn it.", 0, "s")]
    return rows


def test_pairs_are_counted_on_one_prompt_and_prompts_that_are_easy_say_nothing() -> None:
    """A judge that goes by the prompt alone has a high AUROC where prompts differ, and half of the pairs."""
    rows = answers()
    by_prompt = [0.9 if int(row.prompt[1:]) % 2 else 0.1 for row in rows]
    card = validate_probe(rows, by_prompt)["s"]
    assert (card["pairs"], card["pairwise_accuracy"]) == (40, 0.5)
    right = [by_prompt[n] + 0.05 * row.label - 0.1 * (n < 20) * row.label for n, row in enumerate(rows)]
    found = validate_probe(rows, right)["s"]
    assert found["pairwise_accuracy"] == 0.75
    low, high = found["pairwise_accuracy_ci"]
    assert 0.5 < low < 0.75 < high < 0.95
    alone = [Labelled(f"q{n}", "r", n % 2, "s") for n in range(30)]
    none = validate_probe(alone, [0.5] * 30)["s"]
    assert (none["pairs"], none["pairwise_accuracy"], none["pairwise_accuracy_ci"]) == (0, None, None)


def test_j_and_brier_are_scikit_learns() -> None:
    generator = np.random.default_rng(8)
    rows = [Labelled(f"p{n}", f"r{n}", n % 3 == 0, "s") for n in range(300)]
    labels = [int(row.label) for row in rows]
    scores = np.clip(np.array(labels) * 0.3 + generator.random(300) * 0.7, 0, 1)
    card = validate_probe(rows, scores.tolist())["s"]
    assert card["youden_j"] == pytest.approx(2 * balanced_accuracy_score(labels, scores >= 0.5) - 1, abs=2e-4)
    assert card["brier"] == pytest.approx(brier_score_loss(labels, scores), abs=1e-4)
    assert card["youden_j_ci"][0] < card["youden_j"] < card["youden_j_ci"][1]


def test_words_of_refusal_and_length_are_judges_of_the_same_rows() -> None:
    card = validate_probe(answers(), [0.5] * 80)["s"]
    assert card["refusal_words"] == {"auroc": 0.875, "youden_j": 0.75, "pairwise_accuracy": 0.875}
    assert card["length"] == {"auroc": 1.0, "youden_j": 1.0, "pairwise_accuracy": 1.0, "harmless": "longer"}
    turned = [Labelled(row.prompt, row.response, 1 - row.label, "s") for row in answers()]
    assert validate_probe(turned, [0.5] * 80)["s"]["length"]["harmless"] == "shorter"


def test_unscored_rows_are_left_out_of_what_they_are_compared_with() -> None:
    rows = answers()
    card = validate_probe(rows, [None if not int(row.prompt[1:]) % 4 else 0.5 for row in rows])["s"]
    assert (card["unscored"], card["refusal_words"]["auroc"]) == (20, 1.0)


def test_the_table_has_a_line_of_the_judge_and_one_of_each_that_it_has_to_beat() -> None:
    card = validate_probe(answers(), [0.8 if row.label else 0.2 for row in answers()])
    table = card_table(card)
    judge, words, length = table.rows
    assert table.headings[:2] == ["source", "rows"]
    assert judge[:3] == ["s", "80", "0"] and judge.count("1.000") == 4
    assert [cell for cell in words if cell][-3:] == ["0.875", "0.750", "0.875"]
    assert length[0].split() == ["longer", "is", "harmless"]
    assert table.headings[words.index("0.875", 7)] == "AUROC"
