"""Public sets whose answers were chosen for their safety when the set was made."""

from typing import Any

from amends.data.layouts.base import Fields, Layout, Row, has
from amends.data.layouts.values import is_blank, nested, number_of

WILDJAILBREAK_TYPES = ("vanilla_harmful", "vanilla_benign", "adversarial_harmful", "adversarial_benign")
BEST_SCORE = 10


def _from_wildjailbreak(row: Row) -> Fields:
    """WildJailbreak: refusals of what is harmful, answers to what looks so. An attack names its plain request, too."""
    is_attack = str(row["data_type"]).startswith("adversarial")
    first, second = ("adversarial", "vanilla") if is_attack else ("vanilla", "adversarial")
    prompt = row[second] if is_blank(row[first]) else row[first]
    return Fields(prompt, row["completion"])


def _from_safechain(row: Row) -> Fields:
    return Fields(row["instruction"], row["response"])


def _from_star(row: Row) -> Fields:
    """STAR-1 was kept by scores of three kinds, of which all are the best: other answers (STAR-41K) are left."""
    scores = list(_numbers(nested(row["score"])))
    is_best = bool(scores) and min(scores) >= BEST_SCORE
    return Fields(row["question"], row["response"] if is_best else None)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict | list):
        return [one for inner in (value.values() if isinstance(value, dict) else value) for one in _numbers(inner)]
    number = number_of(value)
    return [] if number is None else [number]


def _from_coconot(row: Row) -> Fields:
    return Fields(row["prompt"], row["response"])


SAFE_BY_DESIGN = (
    Layout(
        "WildJailbreak",
        lambda row: has("vanilla", "adversarial", "completion")(row) and row.get("data_type") in WILDJAILBREAK_TYPES,
        _from_wildjailbreak,
        frozenset({"vanilla", "adversarial", "completion", "data_type"}),
        "implicit",
        licence="ODC-BY",
        address="https://huggingface.co/datasets/allenai/wildjailbreak",
    ),
    Layout(
        "SafeChain",
        lambda row: has("instruction", "response")(row) and row.get("label") in WILDJAILBREAK_TYPES,
        _from_safechain,
        frozenset({"instruction", "response", "label"}),
        "implicit",
        licence="see its page",
        address="https://huggingface.co/datasets/UWNSL/SafeChain",
    ),
    Layout(
        "STAR-1",
        has("question", "response", "category", "source", "score"),
        _from_star,
        frozenset({"question", "response", "category", "source", "score"}),
        "implicit",
        licence="see its page",
        address="https://huggingface.co/datasets/UCSC-VLAA/STAR-1",
    ),
    Layout(
        "CoCoNot",
        has("prompt", "response", "category", "subcategory"),
        _from_coconot,
        frozenset({"prompt", "response", "category", "subcategory"}),
        "implicit",
        licence="ODC-BY",
        address="https://huggingface.co/datasets/allenai/coconot",
    ),
)
