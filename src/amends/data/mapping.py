"""Makes instructions of the rows that other data sets have: a table of formats, and how each is recognised."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

from amends.data.rows import columns_of, missing_columns
from amends.errors import InputError
from amends.records import SampleKind

Row = Mapping[str, Any]

OWN_COLUMNS = ("id", "prompt", "chosen", "rejected", "category")
ANSWER_COLUMNS = ("chosen", "response", "completion", "output", "answer")
CONTEXT_COLUMNS = ("input", "context")
VERDICT_COLUMNS = {"is_safe", "label", "verdict"}
RESPONSE_COLUMNS = {"id", "prompt", "response", "finished"}
SAFE_LABELS = ("safe", "harmless")
UNSAFE_LABELS = ("unsafe", "harmful")
PKU_COLUMNS = ("prompt", "response_0", "response_1", "is_response_0_safe", "is_response_1_safe")

ROLES = {"human": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
LABELS = {"user": "Human", "assistant": "Assistant"}
LABEL = re.compile(
    r"^(?!.*prompt).*((response|answer|output|completion|harm|safe|safety|toxic|toxicity)_label|(^|_)(harm|harmful|safe|safety|unsafe|"
    r"toxic|toxicity|violation|flagged))s?$",
    re.IGNORECASE,
)
TRANSCRIPT_TURN = re.compile(r"\n\n(Human|Assistant):")


class Turn(NamedTuple):
    """One turn of a foreign dialogue. `role` is user, assistant or system."""

    role: str
    text: str


@dataclass(frozen=True)
class Format:
    """A way to write an instruction: `detect` knows it by a row, `convert` gives `prompt, chosen, rejected`.

    `reads_labels`: it takes only answers that are labelled safe for `chosen`.
    """

    detect: Callable[[Row], bool]
    convert: Callable[[Row], dict[str, Any]]
    reads_labels: bool = False


def map_row(row: Row, columns: Mapping[str, str] | None, line: int) -> dict[str, Any]:
    """A row of any known format as the columns of `records.Instruction`, not yet validated.

    Args:
        row: the columns as read.
        columns: our names to theirs, such as `{"prompt": "question", "chosen": "answer"}`. With it, only the columns
            named in it and those that already have our names are read; without it, the format is recognised.
        line: number of the row from 1; it becomes the id of a row that has none.

    An answer that is blank counts as none. System turns are left out: an instruction is what a user asks.

    Raises:
        InputError: no format fits, or a column named in `columns` is absent. The caller adds file and line.
    """
    row = _select(row, columns) if columns else row
    found = next((format for format in FORMATS if format.detect(row)), None)
    if found is None:
        raise InputError(
            f"{missing_columns(['prompt'], row)}; rename one to it, or map one in a configuration with "
            "columns: {prompt: <one of these>}"
        )
    fields = found.convert(row)
    named = columns or not _is_blank(row.get("chosen"))
    if fields["chosen"] and not named and not found.reads_labels:
        _refuse_unread_labels(row)
    category = row.get("category")
    return {
        "id": _row_id(row, line),
        **fields,
        # Elsewhere, a column of this name can be anything, such as BeaverTails' object of flags.
        "category": category if isinstance(category, str) else None,
    }


def _refuse_unread_labels(row: Row) -> None:
    """An answer beside a label that is not read may be an unsafe one, and would be trained on as a safe one."""
    unsafe = (False, 0, *UNSAFE_LABELS)
    labels = [
        name
        for name, value in row.items()
        if (LABEL.search(name) and not (_is_blank(value) or value == []))
        or (name in VERDICT_COLUMNS and value in unsafe)
    ]
    if labels:
        raise InputError(
            f"column '{labels[0]}' seems to say whether the answer is safe, and is not read; map the columns in a "
            "configuration with columns: {prompt: <a column>, chosen: <one of safe answers>}, or {prompt: <a column>} alone"
        )


def _select(row: Row, columns: Mapping[str, str]) -> dict[str, Any]:
    for ours, theirs in columns.items():
        if ours not in OWN_COLUMNS:
            raise InputError(f"columns: '{ours}' is none of {', '.join(OWN_COLUMNS)}; write {{our name: their name}}")
        if theirs not in row:
            raise InputError(f"column '{theirs}', named in columns for '{ours}', is missing; {columns_of(row)}")
    names = {name: name for name in OWN_COLUMNS if name in row} | dict(columns)
    return {ours: row[theirs] for ours, theirs in names.items()}


def _row_id(row: Row, line: int) -> Any:
    value = row.get("id")
    if value is None:
        return f"row-{line:08d}"
    return str(value) if isinstance(value, int) else value


def _from_pku(row: Row) -> dict[str, Any]:
    """PKU-SafeRLHF rates both answers. They teach by contrast only where exactly one is safe."""
    safe = [_flag(row, "is_response_0_safe"), _flag(row, "is_response_1_safe")]
    if safe[0] == safe[1]:
        return _fields(row["prompt"], None, None)
    answers = (row["response_0"], row["response_1"])
    return _fields(row["prompt"], answers[safe.index(True)], answers[safe.index(False)])


def _is_labelled(row: Row) -> bool:
    return {"prompt", "response"} <= row.keys() and _is_blank(row.get("chosen")) and bool(VERDICT_COLUMNS & row.keys())


def _from_labelled(row: Row) -> dict[str, Any]:
    """One answer and whether it is safe (BeaverTails and others). An unsafe one must not pass for a chosen one."""
    column = next(name for name in sorted(VERDICT_COLUMNS) if name in row)
    verdict = row[column]
    if column == "is_safe":
        safe = _flag(row, column)
    elif verdict in SAFE_LABELS or verdict in UNSAFE_LABELS:
        safe = verdict in SAFE_LABELS
    else:
        raise InputError(
            f"{column} {verdict!r} does not say whether the response is safe ({', '.join(SAFE_LABELS)}) or not "
            f"({', '.join(UNSAFE_LABELS)}); correct it, or name the answer's column chosen"
        )
    answer = row["response"]
    return _fields(row["prompt"], answer if safe else None, None if safe else answer)


def _is_stage_output(row: Row) -> bool:
    made = "passed" in row or row.keys() >= {"attempts", "rejections"} or row.keys() == RESPONSE_COLUMNS
    return ("response" in row and made) or ("completion" in row and row.get("kind") in get_args(SampleKind))


def _from_stage_output(row: Row) -> dict[str, Any]:
    """What amends itself wrote: its texts can be harmful, and none of them is a data set's answer."""
    raise InputError(
        f"is a row that a stage made ({columns_of(row)}), whose texts can be harmful; name the file of instructions that "
        "the stage read, and give this one to its own option (--mistakes, --answers, --samples ...); where its "
        "answers are good ones, name them in a configuration with columns: {prompt: prompt, chosen: response}"
    )


def _from_messages(row: Row) -> dict[str, Any]:
    context, answer = _split_answer(_turns(row["messages"], "messages"))
    return _fields(_prompt_of(context, "messages"), answer, None)


def _from_conversations(row: Row) -> dict[str, Any]:
    """ShareGPT: the first exchange; what follows was asked with it in sight."""
    turns = _turns(row["conversations"], "conversations")
    first = next((place for place, turn in enumerate(turns) if turn.role == "user"), len(turns))
    question, answer = _split_answer(turns[first : first + 2])
    return _fields(_prompt_of(question[:1], "conversations"), answer, None)


def _is_implicit_pair(row: Row) -> bool:
    return _is_dialogue(row.get("chosen")) and _is_dialogue(row.get("rejected"))


def _from_implicit_pair(row: Row) -> dict[str, Any]:
    """HH transcripts, and TRL preferences without a prompt: the prompt is what comes before the last answer."""
    context, chosen = _split_answer(_turns(row["chosen"], "chosen"))
    rejected_context, rejected = _split_answer(_turns(row["rejected"], "rejected"))
    # A few HH pairs part before the last answer. Such an answer was given to something else.
    return _fields(_prompt_of(context, "chosen"), chosen, rejected if rejected_context == context else None)


def _from_instruction(row: Row) -> dict[str, Any]:
    """Alpaca, and Dolly, which names the same columns otherwise."""
    parts = [row["instruction"], *(row[name] for name in CONTEXT_COLUMNS if not _is_blank(row.get(name)))]
    prompt = "\n\n".join(parts) if all(isinstance(part, str) for part in parts) else row["instruction"]
    return _fields(prompt, _answer(row), None)


def _from_prompt(row: Row) -> dict[str, Any]:
    """Our own format, and TRL's prompt-completion and preference formats, in text or in messages."""
    chosen, rejected = _answer(row), _answer_text(row.get("rejected"), "rejected")
    return _fields(_prompt_text(row["prompt"]), *_without_prompt(row["prompt"], chosen, rejected))


FORMATS = (
    Format(lambda row: row.keys() >= set(PKU_COLUMNS), _from_pku, True),  # PKU-SafeRLHF
    Format(_is_labelled, _from_labelled, True),
    Format(_is_stage_output, _from_stage_output),
    Format(lambda row: _has_turns(row, "messages"), _from_messages),
    Format(lambda row: _has_turns(row, "conversations"), _from_conversations),  # ShareGPT
    Format(lambda row: "prompt" in row, _from_prompt),
    Format(lambda row: "instruction" in row, _from_instruction),
    Format(_is_implicit_pair, _from_implicit_pair),
)
"""The first that detects a row converts it: those that ask for more columns stand first."""


def _fields(prompt: Any, chosen: Any, rejected: Any) -> dict[str, Any]:
    answers = {"chosen": chosen, "rejected": rejected}
    return {"prompt": prompt} | {name: None if _is_blank(answer) else answer for name, answer in answers.items()}


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _flag(row: Row, column: str) -> bool:
    value = row[column]
    # The text "false" is true to Python: an unsafe answer would become a chosen one.
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise InputError(f"column '{column}' holds neither true nor false; correct it or drop the row")


def _has_turns(row: Row, column: str) -> bool:
    return isinstance(row.get(column), list) and all(_is_blank(row.get(name)) for name in ANSWER_COLUMNS)


def _is_dialogue(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, str) and value.startswith("\n\nHuman:"))


def _turns(value: Any, column: str) -> list[Turn]:
    """The turns of a list of messages ({role, content} or {from, value}), or of a transcript in the style of HH."""
    if isinstance(value, str):
        _, *pieces = TRANSCRIPT_TURN.split(value)
        names = {label: role for role, label in LABELS.items()}
        return [Turn(names[label], text.strip()) for label, text in zip(pieces[::2], pieces[1::2], strict=True)]
    return [_turn(message, column) for message in value]


def _turn(message: Any, column: str) -> Turn:
    fields = message if isinstance(message, dict) else {}
    role, text = fields.get("role") or fields.get("from"), fields.get("content") or fields.get("value") or ""
    role = ROLES.get(role, role) if isinstance(role, str) else None
    if role not in ("user", "assistant", "system") or not isinstance(text, str):
        raise InputError(
            f"column '{column}' is no list of messages with a role (user, assistant, system) and text as content; "
            "convert it, drop the row, or map other columns in a configuration with columns: {prompt: <a column>, "
            "chosen: <a column>}"
        )
    return Turn(role, text)


def _split_answer(turns: list[Turn]) -> tuple[list[Turn], str | None]:
    """The dialogue before the last turn, and that turn, when it is the assistant's."""
    if turns and turns[-1].role == "assistant":
        return turns[:-1], turns[-1].text
    return turns, None


def _prompt_of(turns: list[Turn], column: str) -> str:
    """What the user says; with more than one turn, the dialogue with its speakers named."""
    spoken = [turn for turn in turns if turn.role != "system"]
    if not any(turn.role == "user" for turn in spoken):
        raise InputError(f"column '{column}' has no user turn before its last answer; drop the row")
    if len(spoken) == 1:
        return spoken[0].text
    return "\n\n".join(f"{LABELS[turn.role]}: {turn.text}" for turn in spoken)


def _answer(row: Row) -> Any:
    column = next((name for name in ANSWER_COLUMNS if not _is_blank(row.get(name))), None)
    return None if column is None else _answer_text(row[column], column)


def _answer_text(value: Any, column: str) -> Any:
    """The last assistant turn of messages or of a transcript; other values as they are, for validation to judge."""
    return _split_answer(_turns(value, column))[1] if _is_dialogue(value) else value


def _prompt_text(prompt: Any) -> Any:
    # An attack can look like a transcript and has to stay as it is. Only one that waits for the answer is one.
    if isinstance(prompt, str) and not prompt.rstrip().endswith("\n\nAssistant:"):
        return prompt
    if not _is_dialogue(prompt):
        return prompt
    turns = _turns(prompt, "prompt")
    waits = bool(turns) and turns[-1].role == "assistant" and _is_blank(turns[-1].text)
    return _prompt_of(turns[:-1] if waits else turns, "prompt")


def _without_prompt(prompt: Any, chosen: Any, rejected: Any) -> tuple[Any, Any]:
    """Some preference sets repeat the prompt in both answers, on lines of its own."""
    if not (isinstance(prompt, str) and isinstance(chosen, str) and isinstance(rejected, str)):
        return chosen, rejected
    rests = [text.removeprefix(prompt) for text in (chosen, rejected) if text.startswith(prompt)]
    if len(rests) == 2 and all(rest.lstrip(" \t\r").startswith("\n") for rest in rests):
        return rests[0].strip(), rests[1].strip()
    return chosen, rejected
