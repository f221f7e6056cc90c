"""Public sets whose answers are labelled: a safe one is `chosen`, a harmful one `rejected`, no uncertain one is."""

import re

from amends.data.layouts.base import Fields, Layout, Row, has
from amends.data.layouts.labels import Reading, majority, read_word
from amends.data.layouts.prompts import CONTEXTS, context_of, in_context
from amends.data.layouts.values import is_blank, number_of, truth_of
from amends.errors import InputError

HUMAN = re.compile(r"human_?(\d+|majority|labels?|votes?|judge?ments?|annotations?)")
CLASSIFIERS = frozenset({"harmbench_cf", "gpt4_cf", "llamaguard2_cf", "llama3_cf"})
BEHAVIOUR = frozenset(
    {"index", "goal", "behavior", "behavior_id", "behaviorid", "category", "functionalcategory", "semanticcategory"}
)


def _answered(row: Row) -> Fields:
    return Fields(row["prompt"], row.get("response"), read=frozenset({"prompt", "response"}))


def _from_question_and_answer(row: Row) -> Fields:
    """PKU-SafeRLHF-QA: an answer that is called safe and has a severity all the same is left."""
    severity = number_of(row.get("severity_level"))
    if severity and truth_of(row["is_safe"]):
        return Fields(row["prompt"])
    return _answered(row)


def _from_aegis_1(row: Row) -> Fields:
    """Aegis 1.0 labels a text of either side: only what users say alone can be asked of a model."""
    if row["text_type"] != "user_message":
        raise InputError(
            f"text_type is '{row['text_type']}', and only a user_message is a prompt; keep these with "
            "where: {text_type: user_message}"
        )
    return Fields(row["text"])


def _from_aegis_2(row: Row) -> Fields:
    # A prompt that was taken out of the set for its licence cannot be answered.
    return Fields(row["prompt"]) if row["prompt"] == "REDACTED" else _answered(row)


def _from_xstest(row: Row) -> Fields:
    """XSTest: the types called contrast ask for harm, the others only sound like it."""
    asks_harm = Reading.HARMFUL if str(row.get("type", "")).startswith("contrast") else Reading.SAFE
    return Fields(row["prompt"], row["completion"], asks_harm=asks_harm, read=frozenset({"prompt", "completion"}))


def _from_xstest_response(row: Row) -> Fields:
    read = frozenset({"prompt", "response", "prompt_type"})
    return Fields(row["prompt"], row["response"], asks_harm=read_word(row["prompt_type"]), read=read)


def _from_artefact(row: Row) -> Fields:
    """JailbreakBench artefacts have no prompt where the attack found none: then the goal was not attained either."""
    if is_blank(row["prompt"]):
        return Fields(row["goal"])
    return Fields(row["prompt"], row["response"], asks_harm=Reading.HARMFUL, read=frozenset({"prompt", "response"}))


def _from_judge_comparison(row: Row) -> Fields:
    return _voted(row, row["prompt"], "target_response")


def _from_harmbench_validation(row: Row) -> Fields:
    behaviour = next((row[name] for name in ("test_case", "behavior", "prompt") if not is_blank(row.get(name))), None)
    return _voted(row, in_context(context_of(row), behaviour), "generation")


def _voted(row: Row, prompt: object, column: str) -> Fields:
    """An answer that people voted on: 1 is for harmful, 0 for not. A majority that is written down counts as it is."""
    said = {name: value for name, value in row.items() if HUMAN.fullmatch(name) and not is_blank(value)}
    counted = [said["human_majority"]] if "human_majority" in said else said.values()
    votes = [vote for value in counted for vote in _listed(value)]
    verdict = majority([_vote(one) for one in votes])
    if verdict is None and votes:
        raise InputError(f"columns {', '.join(said)}: not all votes are 1 or 0; correct them or drop the row")
    read = frozenset({"prompt", "test_case", *CONTEXTS, column, *said})
    answer = row[column]
    return Fields(
        prompt, answer if verdict is Reading.SAFE else None, answer if verdict is Reading.HARMFUL else None, read=read
    )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _vote(value: object) -> Reading | None:
    truth = truth_of(value)
    return read_word(value) if truth is None else (Reading.HARMFUL if truth else Reading.SAFE)


def _from_gptfuzzer(row: Row) -> Fields:
    """GPTFuzzer names the question by its number in another file; its labels are bare numbers, some of them wrong."""
    if number_of(row["question"]) is not None:
        raise InputError(
            f"question is the number {row['question']}, not the question itself; put the text of GPTFuzzer's "
            "question_list.csv in its place"
        )
    return Fields(row["question"])


LABELLED = (
    Layout(
        "BeaverTails",
        has("prompt", "response", "category", "is_safe"),
        _answered,
        frozenset({"category", "rejected"}),
        licence="CC-BY-NC-4.0",
        address="https://huggingface.co/datasets/PKU-Alignment/BeaverTails",
    ),
    Layout(
        "PKU-SafeRLHF-QA",
        has("prompt", "response", "is_safe", "severity_level"),
        _from_question_and_answer,
        frozenset(
            {"harm_category", "response_harm_category", "severity_level", "sha256", "prompt_source", "response_source"}
        ),
        licence="CC-BY-NC-4.0",
        address="https://huggingface.co/datasets/PKU-Alignment/PKU-SafeRLHF-QA",
    ),
    Layout(
        "WildGuardMix",
        has("prompt", "response", "response_harm_label", "response_refusal_label"),
        _answered,
        frozenset(
            {
                "adversarial",
                "subcategory",
                "prompt_harm_agreement",
                "response_harm_agreement",
                "response_refusal_agreement",
            }
        ),
        licence="ODC-BY",
        address="https://huggingface.co/datasets/allenai/wildguardmix",
    ),
    Layout(
        "Aegis 2.0",
        has("prompt", "response", "prompt_label", "response_label"),
        _from_aegis_2,
        frozenset(
            {"reconstruction_id_if_redacted", "violated_categories", "prompt_label_source", "response_label_source"}
        ),
        licence="CC-BY-4.0",
        address="https://huggingface.co/datasets/nvidia/Aegis-AI-Content-Safety-Dataset-2.0",
    ),
    Layout(
        "Aegis 1.0",
        has("text", "text_type", "num_annotations"),
        _from_aegis_1,
        licence="CC-BY-4.0",
        address="https://huggingface.co/datasets/nvidia/Aegis-AI-Content-Safety-Dataset-1.0",
    ),
    Layout(
        "XSTest completions",
        has("prompt", "completion", "final_label"),
        _from_xstest,
        frozenset({"type", "annotation_1", "annotation_2", "agreement", "id_v1", "id_v2", "focus", "note"}),
        licence="CC-BY-4.0, completions under their vendors' terms",
        address="https://github.com/paul-rottger/xstest",
    ),
    Layout(
        "XSTest responses",
        has("prompt", "response", "label", "prompt_type"),
        _from_xstest_response,
        licence="ODC-BY",
        address="https://huggingface.co/datasets/allenai/xstest-response",
    ),
    Layout(
        "JailbreakBench artefacts",
        has("prompt", "response", "jailbroken", "goal"),
        _from_artefact,
        frozenset(
            {
                "goal",
                "behavior",
                "category",
                "number_of_queries",
                "queries_to_jailbreak",
                "prompt_tokens",
                "response_tokens",
            }
        ),
        licence="MIT",
        address="https://github.com/JailbreakBench/artifacts",
    ),
    Layout(
        "JailbreakBench judge comparison",
        has("prompt", "target_response", "human_majority"),
        _from_judge_comparison,
        BEHAVIOUR | CLASSIFIERS,
        "implicit",
        licence="MIT",
        address="https://huggingface.co/datasets/JailbreakBench/JBB-Behaviors",
    ),
    Layout(
        "HarmBench classifier validation",
        lambda row: "generation" in row and bool(row.keys() & {"behavior", "test_case", "prompt"}),
        _from_harmbench_validation,
        BEHAVIOUR,
        "implicit",
        licence="MIT",
        address="https://github.com/centerforaisafety/HarmBench",
    ),
    Layout(
        "GPTFuzzer answers",
        has("question", "response", "label", without=("score",)),
        _from_gptfuzzer,
        licence="MIT",
        address="https://github.com/sherdencooper/GPTFuzz",
    ),
)
