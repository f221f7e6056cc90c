"""The general forms of rows: our own, TRL's, Alpaca's, messages, ShareGPT, pairs with an implicit prompt."""

from collections.abc import Sequence
from typing import Any

from amends.data.layouts.base import Fields, Layout, Row, has
from amends.data.layouts.labels import read_word
from amends.data.layouts.prompts import in_context
from amends.data.layouts.values import (
    MESSAGE_KEYS,
    WAITS,
    asked_in,
    is_blank,
    is_dialogue,
    messages_in,
    nested,
    number_of,
    only_one,
    split_answer,
    truth_of,
    turns_of,
)
from amends.data.rows import columns_of
from amends.errors import InputError
from amends.records import Message, Preference, Sample

IMPLICIT_ANSWERS = ("response", "completion", "output", "answer")
ANSWER_COLUMNS = ("chosen", *IMPLICIT_ANSWERS)
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


def _has_turns(row: Row, column: str) -> bool:
    value = messages_in(row.get(column))
    return isinstance(value, list) and all(is_blank(row.get(name)) for name in ANSWER_COLUMNS)


def _beside(value: Any) -> tuple[tuple[str, Any], ...]:
    """What messages say beside role and content: a label there is one of the answer, too."""
    messages = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return tuple(
        (key, inner)
        for place, one in enumerate(messages, 1)
        for key, inner in one.items()
        if key not in MESSAGE_KEYS and not _is_of_messages(key, inner, place == len(messages))
    )


def _is_of_messages(key: str, value: Any, is_last: bool) -> bool:
    """Whether a field is OpenAI's own and says nothing of the answer: a refusal that is none, or a training's weight.

    A weight says whether a turn is trained on. Of the turns before the answer none is; 0 of the answer itself is left
    to be refused.
    """
    if key == "refusal":
        is_label = truth_of(value) is not None or read_word(value) is not None
        return value is None or (isinstance(value, str) and not is_label)
    return key == "weight" and (not is_last or number_of(value) == 1)


def _from_messages(row: Row) -> Fields:
    messages = messages_in(row["messages"])
    context, answer = split_answer(turns_of(messages, "messages"))
    asked = asked_in([*_told(row, context), *context], "messages")
    return Fields(asked, answer, read=frozenset({"messages", "prompt", "system"}), beside=_beside(messages))


def _from_conversations(row: Row) -> Fields:
    """ShareGPT, where the assistant can greet before the user speaks."""
    messages = messages_in(row["conversations"])
    context, answer = split_answer(turns_of(messages, "conversations"))
    first = next((place for place, turn in enumerate(context) if turn.role == "user"), len(context))
    asked = [*(turn for turn in context[:first] if turn.role == "system"), *context[first:]]
    asked = [*_told(row, asked), *asked]
    read = frozenset({"conversations", "prompt", "system"})
    return Fields(asked_in(asked, "conversations"), answer, read=read, beside=_beside(messages))


def _is_implicit_pair(row: Row) -> bool:
    return all(is_dialogue(messages_in(row.get(name))) for name in ("chosen", "rejected"))


def from_implicit_pair(row: Row) -> Fields:
    """HH transcripts, and TRL preferences without a prompt: the prompt is what comes before the last answer."""
    context, chosen = split_answer(turns_of(messages_in(row["chosen"]), "chosen"))
    rejected_context, rejected = split_answer(turns_of(messages_in(row["rejected"]), "rejected"))
    # A few HH pairs part before the last answer. Such an answer was given to something else.
    rejected = rejected if rejected_context == context else None
    return Fields(asked_in(context, "chosen"), chosen, rejected, beside=_beside(messages_in(row["chosen"])))


def _told(row: Row, turns: Sequence[Message]) -> list[Message]:
    """The system turn in a column of its own, as Anthropic's interface and LLaMA-Factory have it; where there is one.

    Raises InputError where the turns have one, too.
    """
    told = row.get("system")
    if not isinstance(told, str) or is_blank(told):
        return []
    if any(turn.role == "system" for turn in turns):
        raise InputError("column 'system' and the messages both have a system turn; leave one out")
    return [Message(role="system", content=told)]


def _from_instruction(row: Row) -> Fields:
    """Alpaca, and Dolly, which names the same columns otherwise; LLaMA-Factory's has earlier turns in `history`."""
    parts = [row["instruction"], *(row[name] for name in CONTEXT_COLUMNS if not is_blank(row.get(name)))]
    prompt = "\n\n".join(parts) if all(isinstance(part, str) for part in parts) else row["instruction"]
    before = _history(row)
    before = [*_told(row, before), *before]
    if before and isinstance(prompt, str):
        prompt = asked_in([*before, Message(role="user", content=prompt)], "history")
    column, answer = _answer(row)
    return Fields(prompt, answer, read=frozenset({"instruction", *CONTEXT_COLUMNS, "history", "system", column}))


def _history(row: Row) -> list[Message]:
    """The turns before the instruction: pairs of what was asked and answered. Raises InputError for other lists."""
    value = nested(row.get("history"))
    if not isinstance(value, list):
        return []
    turns: list[Message] = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise InputError(
                "column 'history' is no list of pairs, each of a question and its answer; write the turns as messages "
                "in a column `messages`, or name the columns: columns: {prompt: instruction, chosen: output}"
            )
        turns += [Message(role="user", content=pair[0]), Message(role="assistant", content=pair[1])]
    return turns


def _from_prompt(row: Row) -> Fields:
    """Our own format, and TRL's prompt-completion and preference formats, in text or in messages."""
    column, answer = _answer(row)
    rejected = _answer_text(row.get("rejected"), "rejected")
    prompt = in_context(row.get("context"), prompt_in(row["prompt"]))
    read = frozenset({"prompt", "context", "rejected", column})
    beside = _beside(messages_in(row.get(column)))
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
    Layout("messages", lambda row: _has_turns(row, "messages"), _from_messages, OWN, "implicit"),
    Layout("ShareGPT", lambda row: _has_turns(row, "conversations"), _from_conversations, OWN, "implicit"),
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
    Layout("pair with implicit prompt", _is_implicit_pair, from_implicit_pair, OWN, "said"),
)
"""The first that recognises a row converts it: those that ask for more columns stand first."""
