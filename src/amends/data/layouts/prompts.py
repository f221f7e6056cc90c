"""Public sets of which the prompts are read, and no answer: red-team questions, attacks, over-refusal."""

from typing import Any

from amends.data.layouts.base import Fields, Layout, Row, has
from amends.data.layouts.values import is_blank, nested, only_one
from amends.errors import InputError
from amends.records import Conversation, Message, messages_of, prompt_of

TEMPLATE_MARK = "[INSERT PROMPT HERE]"
CONTEXTS = ("contextstring", "context_string", "context")


def in_context(context: Any, request: Any) -> Any:
    """A request behind the text that it is about, as HarmBench asks it; the request alone where there is none."""
    if is_blank(context) or not isinstance(context, str) or not isinstance(request, str | Conversation):
        return request
    *before, last = messages_of(request)
    return prompt_of([*before, Message(role="user", content=f"{context}\n\n---\n\n{last.content}")])


def context_of(row: Row) -> Any:
    """The text that a behaviour of HarmBench is about, where it has one."""
    return next((row[name] for name in CONTEXTS if not is_blank(row.get(name))), None)


def _prompt(*columns: str) -> Any:
    """Converts a row to the first of the columns that is filled."""

    def convert(row: Row) -> Fields:
        return Fields(only_one(next((row[name] for name in columns if not is_blank(row.get(name))), None)))

    return convert


def _from_behaviour(row: Row) -> Fields:
    """HarmBench: a contextual behaviour is asked with its context."""
    return Fields(in_context(context_of(row), row["behavior"]))


def _from_first_turn(row: Row) -> Fields:
    """SORRY-Bench has a list of one turn. What follows the first of several was asked with the answer in sight."""
    turns = nested(row["turns"])
    return Fields(turns[0] if isinstance(turns, list) and turns else turns)


def _from_text(row: Row) -> Fields:
    if isinstance(row["text"], str) and TEMPLATE_MARK in row["text"]:
        raise InputError(f"is a template, not a prompt: put questions in the place of {TEMPLATE_MARK}")
    return Fields(row["text"])


def _from_wildjailbreak_evaluation(row: Row) -> Fields:
    return Fields(row["adversarial"])


def _from_salad(row: Row) -> Fields:
    """SALAD-Bench: the attack on a question (`augq`) where there is one."""
    if not is_blank(row.get("choices")):
        raise InputError("is a multiple-choice question; take the base_set or the attack_enhanced_set of SALAD-Bench")
    return _prompt("augq", "question", "baseq")(row)  # type: ignore[no-any-return]


def _public(name: str, recognises: Any, convert: Any, licence: str, address: str) -> Layout:
    return Layout(name, recognises, convert, licence=licence, address=address)


HUB = "https://huggingface.co/datasets/"
PROMPTS = (
    _public(
        "HarmBench behaviours",
        lambda row: (
            "behavior" in row
            and bool(row.keys() & {"behaviorid", "functionalcategory", "contextstring", "behavior_id"})
        ),
        _from_behaviour,
        "MIT",
        "https://github.com/centerforaisafety/HarmBench",
    ),
    _public(
        "JailbreakBench behaviours",
        has("goal", "target", "behavior", without=("prompt",)),
        _prompt("goal"),
        "MIT",
        HUB + "JailbreakBench/JBB-Behaviors",
    ),
    _public(
        "AdvBench",
        has("goal", "target", without=("prompt",)),
        _prompt("goal"),
        "MIT",
        "https://github.com/llm-attacks/llm-attacks",
    ),
    _public(
        "StrongREJECT",
        has("forbidden_prompt"),
        _prompt("forbidden_prompt"),
        "MIT",
        "https://github.com/alexandrasouly/strongreject",
    ),
    _public(
        "SORRY-Bench",
        has("question_id", "turns"),
        _from_first_turn,
        "its own, see its page",
        HUB + "sorry-bench/sorry-bench-202503",
    ),
    _public(
        "AILuminate",
        has("prompt_text", "hazard"),
        _prompt("prompt_text"),
        "CC-BY-4.0",
        "https://github.com/mlcommons/ailuminate",
    ),
    _public(
        "XSTest prompts", has("prompt", "type", "label", "focus"), _prompt("prompt"), "CC-BY-4.0", HUB + "Paul/XSTest"
    ),
    _public(
        "OR-Bench",
        lambda row: row.keys() == {"prompt", "category"} and isinstance(row["prompt"], str),
        lambda row: Fields(row["prompt"]),
        "CC-BY-4.0",
        HUB + "bench-llm/or-bench",
    ),
    _public(
        "Do-Not-Answer",
        has("question", "risk_area", "types_of_harm"),
        _prompt("question"),
        "CC-BY-NC-SA-4.0, code Apache-2.0",
        HUB + "LibrAI/do-not-answer",
    ),
    _public(
        "SALAD-Bench",
        lambda row: "1_category" in row and bool(row.keys() & {"question", "augq", "baseq"}),
        _from_salad,
        "Apache-2.0",
        HUB + "OpenSafetyLab/Salad-Data",
    ),
    _public(
        "GPTFuzzer questions",
        lambda row: row.keys() in ({"index", "text"}, {"id", "text"}),
        _from_text,
        "MIT",
        "https://github.com/sherdencooper/GPTFuzz",
    ),
    _public(
        "ToxicChat", has("user_input", "model_output"), _prompt("user_input"), "CC-BY-NC-4.0", HUB + "lmsys/toxic-chat"
    ),
    _public(
        "WildJailbreak evaluation",
        has("adversarial", "label", "data_type", without=("completion",)),
        _from_wildjailbreak_evaluation,
        "ODC-BY",
        HUB + "allenai/wildjailbreak",
    ),
)
