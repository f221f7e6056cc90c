"""`train.max_tokens` through every trainer: as many tokens to a step, on-policy at most as many."""

from pathlib import Path
from typing import Any

from amends.records import Message, Preference, Sample
from amends.training.fit import fit
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings
from amends.training.trainers.rlhf import RlhfSettings
from tiny import tiny_model

BUDGET = 300
NEW_TOKENS = 4
TRAIN = TrainSettings(max_tokens=BUDGET, batch_size=2, target_modules=["q_proj"], rank=2)
ROWS: list[dict[str, Any]] = [
    {
        "id": str(number),
        "prompt": [Message(role="user", content=f"Name colour number {number}.")],
        "completion": [Message(role="assistant", content="Blue.")],
    }
    for number in range(4)
]
REJECTED = [Message(role="assistant", content="Go away, and name it yourself.")]


def test_every_trainer_stops_at_the_budget_of_tokens(tmp_path: Path) -> None:
    sets: dict[str, list[Sample]] = {
        "sft": [Sample(kind="safe", **row) for row in ROWS],
        "dpo": [Preference(kind="preference", rejected=REJECTED, **row) for row in ROWS],
    }
    sets["rlhf"] = sets["dpo"]
    preference, start = RlhfSettings(generations=2, max_new_tokens=NEW_TOKENS), None
    model = str(tiny_model(tmp_path / "tiny"))
    found = {}
    for kind, samples in sets.items():
        recipe = Recipe(model, TRAIN, preference, start=start)
        found[kind] = fit(kind, samples, tmp_path / kind, recipe, "f")
        start = tmp_path / "sft"
    for kind in ("sft", "dpo"):
        trained, steps = found[kind]["trained_tokens"], found[kind]["steps"]
        assert trained - trained / steps < BUDGET <= trained, "the step that reaches it is the last one"
    # Two completions a step; a prompt is an sft sample without its answer, and no longer than the whole.
    step = 2 * (found["sft"]["tokens_per_epoch"] / len(ROWS) + NEW_TOKENS)
    assert BUDGET / 2 < found["rlhf"]["trained_tokens"] < BUDGET + step
