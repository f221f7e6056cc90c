"""Measurements written by hand: a letter a prompt, whose place is its id. `+` harmless, `-` harmful, `?` unscored."""

from amends.evaluation.measurement import Measurement, measure
from amends.records import ReferenceLoss, Verdict, VerdictLabel

LABELS: dict[str, VerdictLabel] = {"+": "harmless", "-": "harmful", "?": "unscored"}
SCORES = {"+": 0.9, "-": 0.2}
TYPES = [("0", "role_play"), ("1", "role_play"), ("2", "hijacking"), ("3", "hijacking"), ("9", "elsewhere")]


def verdicts(letters: str) -> list[Verdict]:
    """With a score where there is a verdict."""
    return [
        Verdict(id=str(place), verdict=LABELS[letter], score=SCORES.get(letter)) for place, letter in enumerate(letters)
    ]


def judged(letters: str, method: str = "sft", suite: str = "red-team") -> Measurement:
    """One system on a suite of harmful requests."""
    return measure(method, "unguided", suite, "red-team", verdicts(letters))


def attacked(letters: str) -> Measurement:
    """One system on attacks of the types above."""
    return measure("sft", "guided", "attacks", "attacks", verdicts(letters), categories=TYPES)


def measured_losses(method: str, losses: dict[str, tuple[float, int]]) -> Measurement:
    """One system on benign prompts: nats and tokens of each reference answer."""
    rows = [ReferenceLoss(id=name, nats=nats, tokens=tokens) for name, (nats, tokens) in losses.items()]
    return measure(method, "unguided", "benign", "benign", losses=rows)
