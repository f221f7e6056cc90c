"""Models that others compute with: whether they answer, and how fast."""

import time
from collections.abc import Iterator

from amends.config.plan import Plan
from amends.models.base import SHORT, Model, Sampling
from amends.pipeline.doctor.finding import Finding

TOKENS = 32  # of the one answer that is asked for
SLOW_SECONDS = 30  # for these


def look_at_servers(plan: Plan) -> Iterator[Finding]:
    """Asks each server for one short answer. Raises ModelError where one gives none."""
    asked = [*plan.models, *(judge.asks for judge in (plan.judge, plan.gate))]
    for model in {one.identity: one for one in asked if one and one.elsewhere}.values():
        yield _timed(model)


def _timed(model: Model) -> Finding:
    began = time.perf_counter()
    (answer,) = model.generate([SHORT], Sampling(max_new_tokens=TOKENS, temperature=0.0), 0)
    seconds = time.perf_counter() - began
    found = f"{model.title}: {answer.tokens} tokens in {seconds:.1f} s, alone"
    if seconds < SLOW_SECONDS:
        return Finding("server", "ok", found)
    return Finding("server", "note", found, "look whether it has a GPU, and what else asks it")
