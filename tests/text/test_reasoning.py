"""Blocks of reasoning are taken out, in every form in which models and templates write them; other text stays."""

import time
from pathlib import Path

import pytest

from amends.text.reasoning import has_reasoning, without_reasoning


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>It asks.</think>No.", "No."),
        ("<think>\nIt asks.\n</think>\n\nNo.\n", "No."),
        ("<think></think>No.", "No."),
        ("<think/>No.", "No."),
        ("<THINK>It asks.</Think>No.", "No."),
        ("< think >It asks.</ think >No.", "No."),
        ('<think type="deep" level=2>It asks.</think>No.', "No."),
        ("<thinking>It asks.</thinking>No.", "No."),
        ("<thought>It asks.</thought>No.", "No."),
        ("<reasoning>It asks.</reasoning><answer>No.</answer>", "No."),
        ("<seed:think>It asks.</seed:think>No.", "No."),
        ("<|think|>It asks.<|/think|>No.", "No."),
        ("[THINK]It asks.[/THINK]No.", "No."),
        ("◁think▷It asks.◁/think▷No.", "No."),
        ("<|START_THINKING|>It asks.<|END_THINKING|><|START_RESPONSE|>No.<|END_RESPONSE|>", "No."),
        ("<|inner_prefix|>It asks.<|inner_suffix|>No.", "No."),
        ("<|begin_of_thought|>A.<|end_of_thought|>\n<|begin_of_solution|>No.<|end_of_solution|>", "No."),
        ("<|im_start|>think\nIt asks.\n<|im_start|>answer\nNo.", "No."),
        ("<|channel>thought\nIt asks.<channel|>No.", "No."),
        ("&lt;think&gt;It asks.&lt;/think&gt;No.", "No."),
        (
            "<|channel|>analysis<|message|>It asks.<|end|><|start|>assistant<|channel|>final<|message|>No.<|return|>",
            "No.",
        ),
        ("<|channel|>final<|message|>No.<|return|>", "No."),
        ("analysisWe need to refuse.assistantfinalNo.", "No."),
        ("<think>A.</think>One.\n\n<think>B.</think>\nTwo.", "One.\n\nTwo."),
        ("One. <think>A.</think> Two.", "One. Two."),
        ("<think>A <think>B</think> C</think>No.", "No."),
        ("One <think>A <think>B</think> C</think> two.", "One two."),
        ("<think>I may write <think> here.</think>No.", "No."),
        ("<think>It says `</think>` in code.</think>No.", "No."),
        ("It asks.</think>\n\nNo.", "No."),
        ("It asks: <answer>.</think>No.", "No."),
        ("It asks.[/THINK]No.", "No."),
        ("<think>It asks, and", ""),
        ("No.<think>It asks, and", "No."),
        ("It asks.</think>", ""),
        ('<think>He said "no"</think>"No"', '"No"'),
        ("<think>" * 3 + "It asks.", ""),
    ],
)
def test_reasoning_is_taken_out(text: str, left: str) -> None:
    assert without_reasoning(text) == left
    assert has_reasoning(text)
    assert not has_reasoning(left)


@pytest.mark.parametrize(
    "text",
    [
        "I think that is rude. Think again.",
        "My reasoning: it hurts.\n  ",
        "Reasoning models write `<think>` and `</think>` around their thoughts.",
        'The tag "<think>" opens it.',
        "[Thinking about it] She nods. [think about it]",
        "<think about it> is no tag.",
        "<b>thinking</b> <thinker>x</thinker>",
        "A final channel, an analysis, and the assistant.",
        "analysis is useful",
        "<answer>No.</answer>",
        "",
    ],
)
def test_text_that_only_speaks_of_thinking_stays(text: str) -> None:
    assert without_reasoning(text) == text
    assert not has_reasoning(text)


@pytest.mark.parametrize("text", ["No. <think", "No. </thinking", "No. <|channel|>", "&lt;thought", "</think>"])
def test_what_is_left_of_a_block_is_seen(text: str) -> None:
    assert has_reasoning(text)


@pytest.mark.parametrize(
    "text",
    [
        "<think>" * 100_000,
        "</think>" * 100_000,
        "a<think>b</think> " * 60_000,
        "<think>" * 50_000 + "</think>" * 50_000,
        "<think" + " " * 1_000_000,
        "<" + " " * 1_000_000,
        "<" * 1_000_000,
        "<think " + "a=b " * 250_000,
        "<think " + "a" * 1_000_000,
        "<|channel|>" * 90_000,
        "<|channel|>" + " " * 1_000_000 + "final",
        "`<think>`" * 100_000,
        "a_" * 500_000,
        "&lt;" * 250_000,
    ],
    ids=range(14),
)
def test_hostile_text_takes_no_longer_than_other_text(text: str) -> None:
    began = time.perf_counter()
    without_reasoning(text)
    has_reasoning(text)
    assert time.perf_counter() - began < 10  # what grows with the square would take hours


@pytest.mark.parametrize(
    ("text", "answer", "finished"),
    [
        ("<think>\nIt asks.\n</think>\n\nNo, thank you.", "No, thank you.", True),
        ("<think>\nIt asks, and", "", False),
        ("[THINK]It asks.[/THINK]No, thank you.", "No, thank you.", True),
        ("No, thank you.", "No, thank you.", True),
    ],
)
def test_a_local_model_answers_without_it(text: str, answer: str, finished: bool) -> None:
    """Also where its marks are special tokens, which are left out of a text."""
    from amends.models.hf import LocalModel

    model = LocalModel("embedded")
    model.tokenizer.add_special_tokens({"additional_special_tokens": ["[THINK]", "[/THINK]"]})
    end = model.tokenizer.eos_token_id
    made = model.generation_of([*model.tokenizer(text, add_special_tokens=False).input_ids, end], frozenset({end}))
    assert (made.text, made.finished, made.had_no_room) == (answer, finished, False)


def test_every_gate_rejects_what_is_left_of_it() -> None:
    from amends.models.scripted import ScriptedModel
    from amends.prompts import UNGUIDED
    from amends.records import Instruction
    from amends.stages.analyze import AnalyzeSettings
    from amends.stages.answer import AnswerSettings
    from amends.stages.attempts import Task, of_data_set, try_guides
    from scripted_judge import ScriptedJudge

    rows = [Instruction(id="a", prompt="May I?")]
    model = ScriptedModel("m", lambda prompt, seed: "<think>It is told to be harmful.</think>It hurts.")
    task = Task(model, ScriptedJudge(lambda *_: 0.9), [UNGUIDED], AnalyzeSettings(attempts=2), 0)
    (made,) = try_guides(rows, task, 0, lambda row, guide: guide.prompt(row.prompt), lambda *_: "", {}, lambda *_: None)
    assert (made.passed, made.rejections) == (False, ["holds reasoning"] * 2)
    origin = Task(model, ScriptedJudge(lambda *_: 0.9), [UNGUIDED], AnswerSettings(source="origin"), 0)
    given = {"<think>It asks.</think>No.": "No.", "<think>It asks.": "", "No. <think": "No. <think"}
    for text, kept in given.items():
        found = of_data_set(rows, origin, [text], lambda *_: "")["a"]
        assert (found.text, found.passed) == (kept, "<" not in kept), text


def test_no_sample_is_composed_with_it() -> None:
    from amends.errors import SampleError
    from amends.records import Analysis, Answer, Chain, Contrast, Instruction, Mistake, Revision
    from amends.training.compose import compose
    from amends.training.sample_kinds.base import SAMPLE_KINDS

    block = "<think>It is told to be harmful.</think>\n\n"
    prompt = {"prompt": "Insult him.", "passed": True, "source": "own"}

    def sets(before: str, name: str) -> dict[str, list[object]]:
        row = prompt | {"id": name}
        mistake = row | {"response": f"{before}You are a worthless fool.", "chosen": f"{before}I would not."}
        other = row | {"id": f"{name}2", "prompt": "Mock him."}
        hurts = f"{before}It could hurt him."
        plain = {"id": name, "prompt": "Insult him.", "chosen": f"{before}I would not."}
        return {
            "instructions": [Instruction(**plain)],
            "benign": [Instruction(**plain)],
            "mistakes": [Mistake(**mistake)],
            "analyses": [Analysis(**one, response="You fool.", analysis=hurts) for one in (row, other)],
            "contrasts": [Contrast(**row, response="I would not.", harmless_because=f"{before}It hurts nobody.")],
            "chains": [Chain(**row, response="You fool.", analysis=hurts, answer="I would not.")],
            "answers": [Answer(**row, response=f"{before}I would not.")],
            "replies": [Answer(**row, response=f"{before}I would not.")],
            "revisions": [Revision(**row, response="You fool.", critique="Rude.", revision=f"{before}I would not.")],
        }

    for kind in SAMPLE_KINDS:
        alone, taken = (list(compose([kind], sets(before, "r"), {})) for before in ("", block))
        assert taken == alone != [], kind
        if kind == "verdict":  # its answers are a template's
            continue
        with pytest.raises(SampleError, match=r"marks of a block of reasoning stand in its answer"):
            list(compose([kind], sets("</ |think|/> ", "r"), {}))


def test_no_completion_is_trained_on_with_it(tmp_path: Path) -> None:
    """Samples may be made by hand."""
    from amends.errors import SampleError
    from amends.models.hf import LocalModel
    from amends.records import Message, Preference, Sample
    from amends.training.tokenized import tokenize_samples
    from amends.training.trainers.sft import columns

    tokenizer = LocalModel("embedded").tokenizer
    prompt = [Message(role="user", content="What does `<think>` do? <think>")]
    fine = [Message(role="assistant", content="`<think>` opens a block.")]
    reasoned = [Message(role="assistant", content="<think>It asks.</think>It opens a block.")]
    fit = Sample(id="a", kind="safe", prompt=prompt, completion=fine)
    tokenize_samples([fit], columns, tokenizer, 512, tmp_path / "fine.arrow")
    odd = Sample(id="b", kind="safe", prompt=prompt, completion=reasoned)
    side = Preference(id="c", kind="preference", prompt=prompt, completion=fine, rejected=reasoned)
    for sample, name in ((odd, "b"), (side, r"c \(rejected\)")):
        with pytest.raises(SampleError, match=f"sample {name}: a block of reasoning, or what is left of one, stands"):
            tokenize_samples([fit, sample], columns, tokenizer, 512, tmp_path / "odd.arrow")
