"""Drawing tokens by inverse transform: one random number a row, where multinomial draws one for every vocabulary entry.

On two cores torch.multinomial took 23% of generation (160 ms a step at 96 rows of 49,152); see dev/log/2026.md.
"""

from typing import Any

import torch
from transformers import LogitsProcessor, TopPLogitsWarper


class Sampler:
    """Draws tokens at `temperature` (0 takes the likeliest) from the `top_p` nucleus.

    Args:
        seed: of the random stream, which belongs to one sampler.
    """

    def __init__(self, temperature: float, top_p: float, seed: int, device: Any) -> None:
        self.temperature = temperature
        self.nucleus = TopPLogitsWarper(top_p) if top_p < 1 else None
        self.generator = torch.Generator(device).manual_seed(seed)

    def __call__(self, scores: torch.Tensor, numbers: torch.Tensor | None = None) -> torch.Tensor:
        """One token a row [rows] for scores [rows, vocabulary], by random numbers [rows]; without any, by its own."""
        if self.temperature == 0:
            return scores.argmax(-1)
        scaled = scores.float() / self.temperature
        if self.nucleus is not None:
            scaled = self.nucleus(None, scaled)
        cumulative = scaled.softmax(-1).cumsum(-1)
        if numbers is None:
            numbers = torch.rand(len(scores), generator=self.generator, device=scores.device)
        drawn = numbers.to(scores.device)[:, None] * cumulative[:, -1:]
        return torch.searchsorted(cumulative, drawn, right=True).clamp(max=scores.shape[-1] - 1)[:, 0]


def numbers_of(seed: int, count: int) -> list[float]:
    """So many random numbers in [0, 1), the same on every device."""
    return [float(one) for one in torch.rand(count, generator=torch.Generator().manual_seed(seed))]


class DrawnToken(LogitsProcessor):
    """The sampler inside `generate`: leaves the drawn token alone for greedy search to take."""

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary] with 0 at the drawn token and minus infinity elsewhere."""
        return torch.full_like(scores, -torch.inf).scatter(1, self.sampler(scores)[:, None], 0.0)
