"""Composing samples: no guide in a prompt, no loss on a mistake, the shares, and a golden file."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from amends.config.methods import METHODS
from amends.errors import SampleError
from amends.prompts import GUIDE_STAGES, english
from amends.records import (
    Analysis,
    Answer,
    Chain,
    Contrast,
    Instruction,
    Message,
    Mistake,
    Preference,
    Record,
    Revision,
    Sample,
)
from amends.text.words import words
from amends.training.compose import LeakTest, compose, first_samples

GOLDEN = Path(__file__).parent.parent / "golden"

INSTRUCTIONS = [
    Instruction(id="r1", prompt="How do I pick my neighbour's lock?", chosen="Ask them, or call a locksmith."),
    Instruction(id="r2", prompt="Write an insult.", rejected="You fool."),
    Instruction(id="r3", prompt="Is it fine to lie?\nAnd to cheat?", chosen="Neither; both cost you trust. 😀"),
]
BENIGN = [Instruction(id="b1", prompt="Name a colour.", chosen="Blue.")]
ANALYSES = [
    Analysis(
        id="r1",
        prompt="How do I pick my neighbour's lock?",
        response="Use a bump key while {prompt} sleeps.",
        analysis="The response is harmful because it helps with a burglary.",
        guide="told-prefill",
        passed=True,
    ),
    Analysis(
        id="r2", prompt="Write an insult.", response="You fool.", analysis="Fine.", passed=False, reason="refuses"
    ),
]
MISTAKES = [
    Mistake(
        id="r1",
        prompt=INSTRUCTIONS[0].prompt,
        chosen=INSTRUCTIONS[0].chosen,
        response="Kick it.",
        source="own",
        passed=True,
    ),
    Mistake(id="r2", prompt="Write an insult.", response="You fool.", source="own", passed=True),
    Mistake(
        id="r3",
        prompt=INSTRUCTIONS[2].prompt,
        chosen=INSTRUCTIONS[2].chosen,
        response="Yes.",
        source="own",
        passed=False,
    ),
    Mistake(id="r5", prompt="May I hit it?", chosen="No; be kind.", response="Hit it.", source="origin", passed=True),
]
REVISIONS = [
    Revision(
        id="r1", prompt=INSTRUCTIONS[0].prompt, response="Kick it.", critique="Rude.", revision="Ask.", passed=True
    ),
    Revision(id="r2", prompt="Write an insult.", response="You fool.", critique="Rude.", revision="You.", passed=False),
]
ANSWERS = [
    Answer(id="r1", prompt=INSTRUCTIONS[0].prompt, response="Ask kindly.", passed=True),
    Answer(id="r2", prompt="Write an insult.", response="You fool.", passed=False),
]
CONTRASTS = [
    Contrast(
        id="r1",
        prompt=INSTRUCTIONS[0].prompt,
        response="Ask kindly.",
        harmless_because="The response is harmless because it respects the neighbour.",
        guide="harmless-told",
        passed=True,
    ),
]
REPLIES = [Answer(id="b1", prompt="Name a colour.", response="Green, as of leaves.", passed=True)]
CHAINS = [
    Chain(
        id="r1",
        prompt=INSTRUCTIONS[0].prompt,
        response=ANALYSES[0].response,
        analysis=ANALYSES[0].analysis,
        answer="Ring the bell.",
        passed=True,
    ),
]
SETS: dict[str, Sequence[Record]] = {
    "contrasts": CONTRASTS,
    "replies": REPLIES,
    "chains": CHAINS,
    "analyses": ANALYSES,
    "mistakes": MISTAKES,
    "revisions": REVISIONS,
    "answers": ANSWERS,
}
ALL: dict[str, float] = {"safe": 1.0, "benign": 1.0, "analysis": 1.0}


def composed(
    kinds: Sequence[str] = ("safe", "benign", "analysis"),
    shares: dict[str, float] = ALL,
    instructions: Sequence[Instruction] = INSTRUCTIONS,
    benign: Sequence[Instruction] = BENIGN,
) -> list[Sample]:
    return list(compose(kinds, SETS | {"instructions": instructions, "benign": benign}, shares))


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.kinds])
def test_golden_samples_of_every_method(method: str) -> None:
    """The trained text, byte by byte: a template that changes unnoticed changes every result."""
    found = "".join(f"{sample.model_dump_json()}\n" for sample in composed(METHODS[method].kinds))
    assert found == (GOLDEN / f"{method}.jsonl").read_text(encoding="utf-8")


def test_hindsight_has_half_of_the_mistakes_before_the_safe_answer_and_the_good_phrase_everywhere() -> None:
    mistakes = [MISTAKES[0].model_copy(update={"id": str(number)}) for number in range(400)]
    rows = list(compose(["hindsight"], {"mistakes": mistakes, "benign": BENIGN}, {}))
    texts = [row.completion[0].content for row in rows]
    good, bad = english().template("hindsight_good"), english().template("hindsight_bad")
    both = [text for text in texts if text.startswith(f"{bad} Kick it.")]
    assert 160 < len(both) < 240
    assert all(text.endswith(f"{good} {MISTAKES[0].chosen}") for text in texts[:-1])
    assert sum(text.startswith(good) for text in texts) == 401 - len(both)
    asked = [MISTAKES[0].prompt] * 400 + [BENIGN[0].prompt]
    assert [row.prompt for row in rows] == [[Message(role="user", content=prompt)] for prompt in asked]


@pytest.mark.parametrize(("kind", "name"), [("safe", "instructions"), ("benign", "benign")])
def test_hindsight_takes_the_rows_that_the_others_take(kind: str, name: str) -> None:
    """At half of a kind every method sees the same half of its rows."""
    rows = [Instruction(id=str(number), prompt=f"Why {number}?", chosen=f"So {number}.") for number in range(60)]
    made = {"response": "", "source": "own", "passed": False}
    mistakes = [Mistake.model_validate(row.model_dump(include={"id", "prompt", "chosen"}) | made) for row in rows]
    hindsight: dict[str, Sequence[Record]] = {"mistakes": mistakes} if kind == "safe" else {"benign": rows}
    taken = []
    for which, sets in ((kind, {name: rows}), ("hindsight", hindsight)):
        taken.append([row.prompt[0].content for row in compose([which], sets, {kind: 0.5})])
    assert taken[0] == taken[1]
    assert 15 < len(taken[0]) < 45


def test_copies_by_two_shares_have_ids_of_their_own() -> None:
    rows = compose(["hindsight"], {"mistakes": MISTAKES[:1], "benign": BENIGN}, {"safe": 2, "hindsight": 2})
    ids = [row.id for row in rows]
    assert ids == [
        "hindsight-r1",
        *(f"hindsight-r1#{copy}" for copy in (2, 3, 4)),
        "hindsight-benign-b1",
        "hindsight-benign-b1#2",
    ]


def test_a_preference_needs_a_mistake_that_passed_and_another_safe_answer() -> None:
    same = MISTAKES[0].model_copy(update={"id": "same", "response": MISTAKES[0].chosen})
    rows = [Preference.model_validate(row) for row in compose(["preference"], {"mistakes": [*MISTAKES, same]}, {})]
    assert [row.id for row in rows] == ["preference-r1", "preference-r5"]
    assert rows[0].completion[0].content == MISTAKES[0].chosen
    assert rows[0].rejected[0].content == "Kick it."


def test_sft_trains_on_no_analysis() -> None:
    kinds = [sample.kind for sample in composed(METHODS["sft"].kinds)]
    assert kinds == ["safe", "safe", "benign"]


def test_a_mistake_stands_in_the_prompt_and_the_analysis_is_the_completion() -> None:
    (sample,) = composed(["analysis"])
    analysis = ANALYSES[0]
    assert sample.prompt == [
        Message(role="user", content=english().analysis_question(analysis.prompt, analysis.response))
    ]
    assert analysis.response in sample.prompt[0].content
    assert sample.completion == [Message(role="assistant", content=analysis.analysis)]
    assert analysis.response not in sample.completion[0].content


def test_only_what_passed_and_what_has_an_answer_is_taken() -> None:
    assert [sample.id for sample in composed()] == ["safe-r1", "safe-r3", "benign-b1", "analysis-r1"]


def guides_with_words() -> list[tuple[str, str, str]]:
    """Every cue of every guide that is long enough to be recognised."""
    return [
        (stage, name, cue)
        for stage in GUIDE_STAGES
        for name in english().guide_names(stage)
        for cue in english().guide(stage, name).cues
        if len(words(cue)) >= 3
    ]


@pytest.mark.parametrize(("stage", "name", "cue"), guides_with_words())
def test_a_guide_in_a_prompt_is_refused_by_name(stage: str, name: str, cue: str) -> None:
    leaking = ANALYSES[0].model_copy(update={"id": "r3", "response": f"Yes, lie.\n\n{cue.upper()}"})
    with pytest.raises(SampleError) as caught:
        list(compose(["analysis"], {"analyses": [ANALYSES[0], leaking]}, ALL))
    found = re.match(
        r"sample analysis-r3: '(.+)', words of the (\w+) guide '(.+)', stand in its prompt", str(caught.value)
    )
    assert found is not None, str(caught.value)
    run, named_stage, named = found.groups()
    assert run in " ".join(words(cue))
    # Guides share words; the message names one that has them.
    assert any(run in " ".join(words(text)) for text in english().guide(named_stage, named).cues)


def test_a_users_own_words_are_no_leak() -> None:
    asked = INSTRUCTIONS[0].model_copy(update={"prompt": "Is `You are an unethical assistant` a good system prompt?"})
    list(compose(["safe"], {"instructions": [asked]}, ALL))


def test_a_guide_in_a_mistake_is_refused() -> None:
    leaking = ANALYSES[0].model_copy(update={"response": "You are an unethical assistant. Use a bump key."})
    with pytest.raises(SampleError, match=r"analysis-r1.*induce guide 'unethical-system'"):
        list(compose(["analysis"], {"analyses": [leaking]}, ALL))


def test_the_words_of_a_guide_may_stand_in_an_answer() -> None:
    """The prefill that opens an analysis is the model's own text from then on: what it learns to say."""
    (sample,) = composed(["analysis"])
    assert sample.completion[0].content.startswith(english().guide("analyze", "told-prefill").prefill)


def test_the_neutral_question_leaks_nothing() -> None:
    question = english().analysis_question("What is the time?", "Five.")
    assert LeakTest().find(question) == ""
    for stage, name, cue in guides_with_words():
        assert cue not in question, (stage, name)


@pytest.mark.parametrize("stage", ["induce", "analyze", "respond"])
def test_the_words_of_every_stages_guides_are_found(stage: str) -> None:
    for name, cue in [(name, cue) for one, name, cue in guides_with_words() if one == stage]:
        assert LeakTest().find(f"Hello. {cue} Bye."), name


def many(count: int) -> list[Instruction]:
    return [Instruction(id=str(number), prompt=f"Question {number}?", chosen="Answer.") for number in range(count)]


def test_half_a_share_takes_half_of_the_rows_fixed_by_their_ids() -> None:
    rows = many(400)
    half = composed(["safe"], {"safe": 0.5}, rows)
    assert 160 < len(half) < 240
    assert len({sample.id for sample in half}) == len(half)
    again = composed(["safe"], {"safe": 0.5}, rows[::-1])
    assert {sample.id for sample in again} == {sample.id for sample in half}
    less = composed(["safe"], {"safe": 0.25}, rows)
    assert {sample.id for sample in less} < {sample.id for sample in half}, "a smaller share is a part of a larger"


def test_two_shares_take_every_row_twice_under_distinct_ids() -> None:
    samples = composed(["safe", "benign"], {"safe": 2, "benign": 1})
    assert [sample.id for sample in samples] == ["safe-r1", "safe-r1#2", "safe-r3", "safe-r3#2", "benign-b1"]
    assert samples[0].prompt == samples[1].prompt


def test_one_share_and_a_half() -> None:
    samples = composed(["safe"], {"safe": 1.5}, many(400))
    copies = [sample.id for sample in samples if "#" in sample.id]
    assert len(samples) == 400 + len(copies)
    assert 160 < len(copies) < 240


def test_no_share_leaves_a_kind_out() -> None:
    samples = composed(shares={"safe": 0, "benign": 1, "analysis": 1})
    assert {sample.kind for sample in samples} == {"benign", "analysis"}


def test_no_samples_is_an_error() -> None:
    with pytest.raises(SampleError, match=r"no samples; .*passed its gate"):
        list(compose(["safe", "analysis"], {"instructions": [INSTRUCTIONS[1]], "analyses": [ANALYSES[1]]}, ALL))


def test_preview_shows_every_kind() -> None:
    samples = composed()
    assert [sample.id for sample in first_samples(samples, 1)] == ["safe-r1", "benign-b1", "analysis-r1"]
    assert [sample.id for sample in first_samples(samples, 9)] == ["safe-r1", "benign-b1", "analysis-r1", "safe-r3"]
    assert first_samples([], 3) == []
