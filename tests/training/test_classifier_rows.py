"""What a classifier is tuned on: balanced counterfactuals, units and their weights, pieces that change no step."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from benchmarks.refusal_words import EDITS

from amends.judges.probe import Extractor
from amends.judges.probe_training import Labelled
from amends.judges.separation import pairs_of, pairwise_accuracy
from amends.models.source import find_model
from amends.pipeline.probe_files import read_labelled_files
from amends.prompts import english
from amends.training.classifier.counterfactuals import OPENINGS, counterfactuals, without_refusal
from amends.training.classifier.network import adapted, loss_of
from amends.training.classifier.settings import ClassifierSettings
from amends.training.classifier.units import Read, make_units, pieces, tensors_of, weights_of
from tiny import SIZE, tiny_model


def rows(harmful: int, harmless: int, text: str = "Put it in the cellar and tell nobody at all.") -> list[Labelled]:
    return [Labelled(f"p{n}", f"{text} {n}", int(n >= harmful), "s") for n in range(harmful + harmless)]


REFUSING = "I'm sorry, but I can't help with that. Ask a doctor about it before the weekend"


def test_refusals_come_and_go_before_as_many_harmful_as_harmless_answers() -> None:
    given = rows(60, 100) + rows(10, 80, REFUSING)
    changed = counterfactuals(given, 0.4, english())
    before = {row.response for row in given}
    put = [row for row in changed if row.response.startswith(OPENINGS)]
    taken = [row for row in changed if row not in put]
    assert Counter(row.label for row in put) == {0: 25, 1: 25}, "a tenth of 250 of each"
    assert Counter(row.label for row in taken) == {0: 10, 1: 10}, "ten harmful answers refuse"
    assert all(row.response.startswith("Ask a doctor") for row in taken)
    assert all(any(row.response.endswith(text) for text in before) for row in put)
    assert len({row.response.split(". ")[0] for row in put}) > 5, "the openings vary"
    assert counterfactuals(given, 0.4, english()) == changed
    assert counterfactuals(given, 0.4, english(), seed=1) != changed
    assert counterfactuals(given, 0.0, english()) == []


def test_a_refusal_is_not_put_before_a_refusal_and_nothing_short_is_left() -> None:
    assert counterfactuals(rows(20, 20, REFUSING)[:3], 1.0, english()) == []
    assert without_refusal("I'm sorry, I can't do that. No.", english()) == ""
    assert without_refusal("Ask your neighbour first, and then the council.", english()) == ""
    twice = "I'm sorry. I cannot help with this. Ask your neighbour first, and then the council."
    assert without_refusal(twice, english()) == "Ask your neighbour first, and then the council."


def test_every_opening_is_a_refusal_or_disapproval_that_the_benchmark_does_not_try() -> None:
    tried = {edit("X. Y.") for edit in EDITS.values()}
    assert not [one for one in OPENINGS if any(one in text for text in tried)]
    assert len(set(OPENINGS)) == len(OPENINGS) >= 15


def test_a_source_with_one_label_weighs_by_its_rows() -> None:
    given = [Labelled(f"p{n}", "r", int(n < 10), "both") for n in range(100)]
    given += [Labelled("q", "r", 1, "one")] * 5
    weights = weights_of(given)
    assert weights[:10].sum() == pytest.approx(weights[10:100].sum())
    assert weights[:100].mean() == pytest.approx(1)
    assert weights[100:].tolist() == [1] * 5


def test_units_are_pairs_on_one_prompt_and_single_answers() -> None:
    given = [Labelled("p", f"r{n}", label, "s") for n, label in enumerate([0, 1, 0])]
    given += [Labelled("p", "other source", 1, "t"), Labelled("q", " ", 1, "s")]
    liked = [Labelled("w", "better", 1, "hh"), Labelled("w", "worse", 0, "hh"), Labelled("v", "alone", 1, "hh")]
    units = make_units(given, liked, lambda prompt, response: ([len(prompt), len(response)], 1))
    assert [[one.label for one in unit] for unit in units] == [[1, 0], [0], [1], [1, 0]]
    assert [one.weight for one in units[-1]] == [0, 0], "a preference says nothing of one answer"


def test_pieces_fit_the_budget_and_hold_every_unit_once() -> None:
    units = [(Read([1] * length, 1, 1, 1.0),) * (1 + length % 2) for length in (5, 90, 14, 33, 8, 61, 7)]
    found = list(pieces(units, 100))
    assert sorted(map(len, (one[0].ids for piece in found for one in piece))) == [5, 7, 8, 14, 33, 61, 90]
    for piece in found:
        longest = max(len(one.ids) for unit in piece for one in unit)
        assert len(piece) == 1 or longest * sum(map(len, piece)) <= 100
    assert len(found) < len(units)


def test_the_loss_of_a_pair_falls_as_the_harmless_answer_gets_ahead() -> None:
    """A preference has the pairwise loss alone, a labelled answer cross-entropy as it weighs; both by hand."""
    pair = (Read([1], 0, 1, 0.0), Read([1], 0, 0, 0.0))
    ahead, behind = (loss_of(torch.tensor(logits), [pair], 0, 4, 0.5).item() for logits in ([2.0, -1.0], [-1.0, 2.0]))
    assert ahead == pytest.approx(0.5 * math.log1p(math.exp(-3)) / 4)
    assert behind == pytest.approx(0.5 * math.log1p(math.exp(3)) / 4)
    single = (Read([1], 0, 0, 1.5),)
    alone = loss_of(torch.tensor([2.0]), [single], 3, 4, 0.5).item()
    assert alone == pytest.approx(1.5 * math.log1p(math.exp(2)) / 3)


def test_limits_of_a_tuning_keep_answers_to_one_prompt_together(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    lines = [json.dumps({"prompt": f"p{n}", "chosen": f"good {n}", "rejected": f"bad {n}"}) for n in range(60)]
    path.write_text("\n".join(lines))
    counts = Counter(str(row.prompt) for row in read_labelled_files([str(path)], 20, "0:1", whole_prompts=True))
    assert set(counts.values()) == {2} and len(counts) == 10
    torn = Counter(str(row.prompt) for row in read_labelled_files([str(path)], 20, "0:1"))
    assert len(torn) > 10


def test_a_step_has_the_same_gradient_in_pieces_as_whole(tmp_path: Path) -> None:
    settings = ClassifierSettings(model=str(tiny_model(tmp_path / "tiny")), layers=2, rank=2, dropout=0)
    extractor = Extractor(find_model(settings.model), (2,), "response")
    given = [Labelled(f"p{n // 3}", "word " * (1 + 5 * n), n % 2, "s") for n in range(12)]
    units = make_units(given, [], extractor.encode)
    start = {
        "mean": torch.zeros(SIZE).numpy(),
        "deviation": torch.ones(SIZE).numpy(),
        "weight": torch.linspace(-1, 1, SIZE).numpy(),
        "bias": torch.zeros(1).numpy(),
    }
    extractor.backbone.float()
    model = adapted(extractor.backbone, start, settings, 0)
    gradients = []
    for budget in (10**6, 150):
        model.zero_grad()
        parts = list(pieces(units, budget))
        for piece in parts:
            loss_of(model(**tensors_of(piece, "cpu")), piece, 12, len(units), 0.7).backward()
        gradients.append(torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None]))
    assert len(parts) > 2
    assert torch.linalg.vector_norm(gradients[0]) > 0
    assert torch.allclose(*gradients, rtol=1e-4, atol=1e-6)


def test_pairwise_accuracy_looks_at_answers_to_one_prompt_of_one_source_alone() -> None:
    given = [Labelled(*one) for one in (("p", "a", 1, "s"), ("p", "b", 0, "s"), ("q", "c", 0, "s"), ("p", "d", 0, "t"))]
    assert pairs_of(given) == [(0, 1)]
    assert pairwise_accuracy([(0, 1)], [0.4, 0.3, 0.9, 0.9]) == 1.0
    assert pairwise_accuracy([], [0.4]) is None
