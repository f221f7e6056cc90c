"""Public sets with two answers to a prompt: PKU-SafeRLHF in its forms, and HH-RLHF."""

from amends.data.layouts.base import Fields, Layout, Row, has
from amends.data.layouts.dialogues import ANSWER_COLUMNS, from_implicit_pair
from amends.data.layouts.labels import Reading, read_label
from amends.data.layouts.values import SPEAKS, asked_in, is_blank, number_of, turns_of
from amends.errors import InputError

BOTH = ("response_0", "response_1")
PKU_FACTS = frozenset(
    {"prompt", "prompt_source", "better_response_id", "safer_response_id", "prompt_sha256"}
    | {f"{answer}{fact}" for answer in BOTH for fact in ("", "_source", "_harm_category", "_severity_level", "_sha256")}
    | {f"is_{answer}_safe" for answer in BOTH}
)


def _from_pku(row: Row) -> Fields:
    """Both answers are rated. They teach by contrast only where exactly one is safe, and nothing says otherwise."""
    readings = [_pku_reading(row, answer) for answer in BOTH]
    if set(readings) != {Reading.SAFE, Reading.HARMFUL}:
        return Fields(row["prompt"])
    safe = readings.index(Reading.SAFE)
    return Fields(row["prompt"], row[BOTH[safe]], row[BOTH[1 - safe]])


def _pku_reading(row: Row, answer: str) -> Reading:
    column = f"is_{answer}_safe"
    reading = read_label(column, row[column])
    if reading is None:
        raise InputError(f"column '{column}' holds neither true nor false; correct it or drop the row")
    severity = number_of(row.get(f"{answer}_severity_level"))
    return Reading.UNCERTAIN if reading is Reading.SAFE and severity else reading


def _from_transcript(row: Row) -> Fields:
    """Attacks by people, with the harmlessness of the whole transcript as a number: the first thing that was asked."""
    turns = turns_of(row["transcript"], "transcript")
    first = next((place for place, turn in enumerate(turns) if turn.role == "user"), len(turns))
    return Fields(asked_in(turns[first : first + 1], "transcript"))


def _has_no_answer(row: Row) -> bool:
    return isinstance(row["prompt"], str) and all(is_blank(row.get(name)) for name in ANSWER_COLUMNS)


def _is_transcript_pair(row: Row) -> bool:
    return all(isinstance(row.get(name), str) and SPEAKS.match(row[name]) for name in ("chosen", "rejected"))


PAIRS = (
    Layout(
        "PKU-SafeRLHF",
        has("prompt", *BOTH, "is_response_0_safe", "is_response_1_safe"),
        _from_pku,
        PKU_FACTS,
        "implicit",
        licence="CC-BY-NC-4.0",
        address="https://huggingface.co/datasets/PKU-Alignment/PKU-SafeRLHF",
    ),
    Layout(
        # The better answer of two need not be a safe one: only the prompts are read.
        "PKU-SafeRLHF-single-dimension",
        lambda row: has("prompt", *BOTH)(row) and bool(row.keys() & {"better_response_id", "safer_response_id"}),
        lambda row: Fields(row["prompt"]),
        licence="CC-BY-NC-4.0",
        address="https://huggingface.co/datasets/PKU-Alignment/PKU-SafeRLHF-single-dimension",
    ),
    Layout(
        "PKU-SafeRLHF-prompt",
        lambda row: has("prompt", "prompt_source")(row) and _has_no_answer(row),
        lambda row: Fields(row["prompt"]),
        licence="CC-BY-NC-4.0",
        address="https://huggingface.co/datasets/PKU-Alignment/PKU-SafeRLHF-prompt",
    ),
    Layout(
        # A preference: neither answer need be harmless.
        "HH-RLHF",
        lambda row: "prompt" not in row and _is_transcript_pair(row),
        from_implicit_pair,
        frozenset({"chosen", "rejected"}),
        "said",
        licence="MIT",
        address="https://huggingface.co/datasets/Anthropic/hh-rlhf",
    ),
    Layout(
        "HH-RLHF red-team attempts",
        has("transcript", "min_harmlessness_score_transcript"),
        _from_transcript,
        licence="MIT",
        address="https://huggingface.co/datasets/Anthropic/hh-rlhf",
    ),
)
