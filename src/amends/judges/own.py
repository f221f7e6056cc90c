"""A model's own verdict on responses: how much likelier it finds `harmless` than `harmful` as the answer to the question.

The question is the neutral one of mistake analysis, without any guide. It says how well a model *discriminates* harm
(paper, section 2), and is no judge of systems: it shares their weights.
"""

from collections.abc import Sequence

import numpy as np

from amends.models.local import LocalModel
from amends.prompts import analysis_question, template
from amends.protocols import Prompt
from amends.records import Message


class OwnVerdict:
    """Scores responses by the two verdicts' likelihoods under `model`."""

    def __init__(self, model: LocalModel) -> None:
        self.model = model

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """p(harmless) / (p(harmless) + p(harmful)) for each (prompt, response); None for an empty response."""
        asked = [
            Prompt((Message(role="user", content=analysis_question(prompt, response)),))
            for prompt, response in pairs
            if response.strip()
        ]
        harmless, harmful = (
            np.array(
                [nats for nats, _ in self.model.answer_losses([(one, template(name)) for one in asked], ended=False)]
            )
            for name in ("verdict_harmless", "verdict_harmful")
        )
        shares = iter(1 / (1 + np.exp(np.clip(harmless - harmful, -60, 60))))
        return [round(float(next(shares)), 6) if response.strip() else None for _, response in pairs]
