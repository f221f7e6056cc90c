"""Drawing by inverse transform: softmax's distribution, its nucleus, and the same draw for the same seed."""

import pytest
import torch
from scipy import stats

from amends.models.decoding.sampling import DrawnToken, Sampler

SCORES = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -2.0, 1.5, -0.5])
DRAWS = 40_000


def drawn(scores: torch.Tensor, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0) -> torch.Tensor:
    """The token of each of DRAWS rows with the same scores."""
    return Sampler(temperature, top_p, seed, "cpu")(scores.expand(DRAWS, -1))


def p_value(tokens: torch.Tensor, probabilities: torch.Tensor) -> float:
    """That the tokens were drawn with these probabilities, where these are above 0."""
    counts = torch.bincount(tokens, minlength=len(probabilities))
    possible = probabilities > 0
    assert counts[~possible].sum() == 0, "what has no probability is never drawn"
    return float(stats.chisquare(counts[possible].numpy(), (probabilities[possible] * DRAWS).numpy()).pvalue)


@pytest.mark.parametrize("temperature", [0.3, 0.7, 1.0, 2.0])
def test_distribution_is_the_softmax_at_the_temperature(temperature: float) -> None:
    probabilities = (SCORES.double() / temperature).softmax(-1)
    assert p_value(drawn(SCORES, temperature), probabilities) > 0.001
    other = (SCORES.double() / (temperature * 1.1)).softmax(-1)
    assert p_value(drawn(SCORES, temperature), other) < 0.001, "the test can tell temperatures apart"


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    probabilities = SCORES.double().softmax(-1)
    order = probabilities.argsort(descending=True)
    top_p = 0.8
    needed = int((probabilities[order].cumsum(0) < top_p).sum()) + 1
    nucleus = torch.zeros_like(probabilities)
    nucleus[order[:needed]] = probabilities[order[:needed]] / probabilities[order[:needed]].sum()
    assert 1 < needed < len(SCORES)
    assert p_value(drawn(SCORES, top_p=top_p), nucleus) > 0.001


def test_top_p_comes_after_the_temperature() -> None:
    """At a low temperature the first token alone reaches the share."""
    assert set(drawn(SCORES, temperature=0.1, top_p=0.9).tolist()) == {0}
    assert len(set(drawn(SCORES, temperature=2.0, top_p=0.9).tolist())) > 3


def test_excluded_tokens_are_never_drawn() -> None:
    scores = SCORES.clone()
    scores[[0, 7]] = -torch.inf
    probabilities = scores.double().softmax(-1)
    assert p_value(drawn(scores), probabilities) > 0.001


def test_same_seed_same_draw() -> None:
    assert torch.equal(drawn(SCORES, seed=5), drawn(SCORES, seed=5))
    assert not torch.equal(drawn(SCORES, seed=5), drawn(SCORES, seed=6))


def test_draws_do_not_touch_the_global_stream() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    drawn(SCORES, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_one_stream_runs_through_the_steps_of_a_call() -> None:
    sampler = Sampler(1.0, 1.0, 0, "cpu")
    scores = SCORES.expand(100, -1)
    steps = [sampler(scores) for _ in range(2)]
    assert not torch.equal(*steps)


def test_half_precision_over_a_large_vocabulary_stays_inside_it() -> None:
    scores = torch.zeros((128, 49_152), dtype=torch.bfloat16)
    tokens = Sampler(1.0, 1.0, 0, "cpu")(scores)
    assert tokens.shape == (128,)
    assert len(set(tokens.tolist())) > 100, "flat scores draw from all over the vocabulary"
    assert float(tokens.float().mean()) == pytest.approx(49_152 / 2, rel=0.2)


def test_temperature_zero_takes_the_likeliest() -> None:
    assert set(drawn(SCORES, temperature=0).tolist()) == {0}


def test_inside_generate_the_drawn_token_alone_is_left() -> None:
    scores = SCORES.expand(200, -1)
    left = DrawnToken(Sampler(1.0, 1.0, 3, "cpu"))(torch.zeros((200, 1), dtype=torch.long), scores)
    assert torch.equal(left.isfinite().sum(1), torch.ones(200, dtype=torch.long))
    assert torch.equal(left.argmax(1), Sampler(1.0, 1.0, 3, "cpu")(scores))
