"""The general forms of rows: our own, TRL's, Alpaca's, messages, ShareGPT, pairs with an implicit prompt."""

from typing import Any

from amends.data.layouts.base import Fields, Layout, Row, has
from amends.data.layouts.dialogues import (
    ANSWER_COLUMNS,
    beside_in,
    from_conversations,
    from_implicit_pair,
    from_messages,
    has_turns,
    history_in,
    is_implicit_pair,
    told_in,
)
from amends.data.layouts.prompts import in_context
from amends.data.layouts.values import (
    WAITS,
    asked_in,
    is_blank,
    is_dialogue,
    messages_in,
    only_one,
    split_answer,
    truth_of,
    turns_of,
)
from amends.data.rows import columns_of
from amends.errors import InputError
from amends.records import Message, Preference, Sample

CONTEXT_COLUMNS = ("input", "context")
RESPONSE_COLUMNS = {"id", "prompt", "response", "finished"}
OWN = frozenset({"id", "chosen", "rejected", "split"})


def _is_stage_output(row: Row) -> bool:
    made = "passed" in row or row.keys() >= {"attempts", "rejections"} or row.keys() == RESPONSE_COLUMNS
    return ("response" in row and made) or _is_sample(row)


def _is_sample(row: Row) -> bool:
    """Of whatever kind: these can be registered elsewhere, and their names are not known here."""
    if not row.keys() >= Sample.model_fields.keys() or not isinstance(row["kind"], str):
        return False
    as_written = all(isinstance(row[name], list) for name in ("prompt", "completion"))
    own = str(row["id"]).startswith(f"{row['kind']}-")
    return own or (as_written and row.keys() <= Preference.model_fields.keys())


def _refuse_stage_output(row: Row) -> Fields:
    """What amends itself wrote: its texts can be harmful, and none of them is a data set's answer."""
    raise InputError(
        f"is a row that a stage made ({columns_of(row)}), whose texts can be harmful; name the file of instructions "
        "that the stage read, and give this one to its own option (--mistakes, --answers, --samples ...); where its "
        "answers are good ones, name them in a configuration with columns: {prompt: prompt, chosen: response}"
    )


def _is_unpaired(row: Row) -> bool:
    desirable = row.get("label")
    is_flag = isinstance(desirable, bool) or (
        isinstance(desirable, str) and desirable.strip().lower() in ("true", "false")
    )
    return row.keys() >= {"prompt", "completion"} and is_blank(row.get("chosen")) and is_flag


def _from_unpaired(row: Row) -> Fields:
    """TRL's unpaired preferences: the label says whether the completion is desirable."""
    fields = _from_prompt({name: row[name] for name in ("prompt", "completion")})
    if truth_of(row["label"]):
        return fields
    return Fields(fields.prompt, None, fields.chosen)


def _from_instruction(row: Row) -> Fields:
    """Alpaca, and Dolly, which names the same columns otherwise; LLaMA-Factory's has earlier turns in `history`."""
    parts = [row["instruction"], *(row[name] for name in CONTEXT_COLUMNS if not is_blank(row.get(name)))]
    prompt = "\n\n".join(parts) if all(isinstance(part, str) for part in parts) else row["instruction"]
    before = history_in(row)
    before = [*told_in(row, before), *before]
    if before and isinstance(prompt, str):
        prompt = asked_in([*before, Message(role="user", content=prompt)], "history")
    column, answer = _answer(row)
    return Fields(prompt, answer, read=frozenset({"instruction", *CONTEXT_COLUMNS, "history", "system", column}))


def _from_prompt(row: Row) -> Fields:
    """Our own format, and TRL's prompt-completion and preference formats, in text or in messages."""
    column, answer = _answer(row)
    rejected = _answer_text(row.get("rejected"), "rejected")
    prompt = in_context(row.get("context"), prompt_in(row["prompt"]))
    read = frozenset({"prompt", "context", "rejected", column})
    beside = beside_in(messages_in(row.get(column)))
    return Fields(prompt, *_without_prompt(row["prompt"], answer, rejected), read=read, beside=beside)


def _answer(row: Row) -> tuple[str, Any]:
    column = next((name for name in ANSWER_COLUMNS if not is_blank(row.get(name))), "chosen")
    return column, _answer_text(row.get(column), column)


def _answer_text(value: Any, column: str) -> Any:
    """The last assistant turn of messages or of a transcript; other values as they are, for validation to judge."""
    value = only_one(messages_in(value))
    return split_answer(turns_of(value, column))[1] if is_dialogue(value) else value


def prompt_in(prompt: Any) -> Any:
    """The prompt that a column of that name holds, in whichever way; other values as they are, for validation to judge.

    Raises InputError for messages that are no conversation.
    """
    prompt = only_one(messages_in(prompt))
    # An attack can look like a transcript and has to stay as it is. Only one that waits for the answer is one.
    if isinstance(prompt, list) or (isinstance(prompt, str) and WAITS.match(prompt)):
        return asked_in(turns_of(prompt, "prompt"), "prompt")
    return prompt


def _without_prompt(prompt: Any, chosen: Any, rejected: Any) -> tuple[Any, Any]:
    """Some preference sets repeat the prompt in both answers, on lines of its own."""
    if not (isinstance(prompt, str) and isinstance(chosen, str) and isinstance(rejected, str)):
        return chosen, rejected
    rests = [text.removeprefix(prompt) for text in (chosen, rejected) if text.startswith(prompt)]
    if len(rests) == 2 and all(rest.lstrip(" \t\r").startswith("\n") for rest in rests):
        return rests[0].strip(), rests[1].strip()
    return chosen, rejected


def _says_chosen(row: Row) -> bool:
    return not is_blank(row.get("chosen"))


GENERAL = (
    Layout("stage output", _is_stage_output, _refuse_stage_output),
    Layout("unpaired preference", _is_unpaired, _from_unpaired, OWN | {"completion", "label"}, "implicit"),
    Layout("messages", lambda row: has_turns(row, "messages"), from_messages, OWN, "implicit"),
    Layout("ShareGPT", lambda row: has_turns(row, "conversations"), from_conversations, OWN, "implicit"),
    Layout("preference", lambda row: "prompt" in row and _says_chosen(row), _from_prompt, OWN, "said"),
    Layout("prompt", has("prompt"), _from_prompt, OWN, "implicit"),
    Layout(
        "instruction with chosen",
        lambda row: "instruction" in row and _says_chosen(row),
        _from_instruction,
        OWN,
        "said",
    ),
    Layout("instruction", has("instruction"), _from_instruction, OWN, "implicit"),
    Layout("pair with implicit prompt", is_implicit_pair, from_implicit_pair, OWN, "said"),
)
"""The first that recognises a row converts it: those that ask for more columns stand first."""
