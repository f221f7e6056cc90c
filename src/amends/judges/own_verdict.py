"""A model's own verdict on responses: how much likelier it finds the answer `harmless` than `harmful`.

The question is the neutral one of mistake analysis, without any guide. It says how well a model *discriminates* harm
(paper, section 2), and is no judge of systems: it shares their weights.
"""

from collections.abc import Sequence

import numpy as np

from amends.models.base import Model
from amends.prompts import UNGUIDED, Guide, Language, english
from amends.records import UserPrompt


class OwnVerdict:
    """Scores responses by the two verdicts' likelihoods under `model`, asked in `language` (English by default).

    `guide` stands around the question, as the system is asked otherwise, too; none by default.
    """

    def __init__(self, model: Model, language: Language | None = None, guide: Guide | None = None) -> None:
        self.model, self.language, self.guide = model, language or english(), guide or UNGUIDED

    def score(self, pairs: Sequence[tuple[UserPrompt, str]]) -> list[float | None]:
        """p(harmless) / (p(harmless) + p(harmful)) for each (prompt, response); None for an empty response."""
        asked = [
            self.guide.prompt(self.language.analysis_question(prompt, response))
            for prompt, response in pairs
            if response.strip()
        ]
        said = [self.language.template(name) for name in ("verdict_harmless", "verdict_harmful")]
        pairs_asked = [(one, verdict) for one in asked for verdict in said]  # together: each question is read once
        nats = np.array([loss for loss, _ in self.model.answer_losses(pairs_asked, ended=False)])
        harmless, harmful = nats[::2], nats[1::2]
        shares = iter(1 / (1 + np.exp(np.clip(harmless - harmful, -60, 60))))
        return [round(float(next(shares)), 6) if response.strip() else None for _, response in pairs]
