"""Equal steps and equal epochs: at which of them a configuration trains its methods, or at both, as two variants."""

from collections.abc import Iterator
from typing import Any, Literal

from amends.config.primary import PrimarySettings, row_name
from amends.training.settings import TrainSettings

Equal = Literal["steps", "epochs", "both"]
STEPS, EPOCHS = "equal-steps", "equal-epochs"
VARIANTS: dict[str, dict[str, Any]] = {STEPS: {"equal": "steps"}, EPOCHS: {"equal": "epochs"}}
"""What `both` stands for: the two in one table."""
BUDGETS = ("max_steps", "max_tokens")


def with_doses(content: dict[str, Any], methods: list[str]) -> dict[str, Any]:
    """A configuration's content with what its key `equal` stands for.

    Under `epochs` there is no budget of steps or tokens. Under `both` there are two variants, and a primary comparison
    of two methods is of equal epochs. Variants that are there already stay: they are refused later.

    Args:
        methods: those that are named, or meant where none is.
    """
    if content.get("equal") == "epochs":
        return content | {"train": _without_budget(content.get("train"))}
    if content.get("equal") != "both" or content.get("variants"):
        return content
    primary = content.get("primary")
    named = primary.model_dump() if isinstance(primary, PrimarySettings) else primary
    if isinstance(named, dict):
        meant = {key: row_name(EPOCHS, named[key], methods) for key in ("a", "b") if named.get(key) in methods}
        content = content | {"primary": named | meant}
    return content | {"variants": VARIANTS}


def dose_problems(equal: Equal | None, train: TrainSettings, variants: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What `equal` does not go together with."""
    if equal in ("steps", "both") and not any(getattr(train, name) for name in BUDGETS):
        yield f"equal: {equal} needs a number of steps: name train.max_steps"
    if equal == "both" and variants != VARIANTS:
        yield f"equal: both is the variants {STEPS} and {EPOCHS}; name no others, or give each variant its `equal`"


def _without_budget(train: Any) -> Any:
    """A section `train` that has epochs alone; what is no section is left as it is, and refused later."""
    if isinstance(train, TrainSettings):
        return train.model_copy(update=dict.fromkeys(BUDGETS))
    return train | dict.fromkeys(BUDGETS) if isinstance(train, dict) else train
