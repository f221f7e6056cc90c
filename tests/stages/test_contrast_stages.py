"""Contrast, replies and chains: what passes their gates, what they are told, and which guide a row begins with."""

from pathlib import Path

import pytest

from amends.data.settings import DataSettings
from amends.errors import YieldError
from amends.models.base import Prompt
from amends.models.scripted import ScriptedModel
from amends.pipeline.steps import Steps
from amends.progress import Silent
from amends.prompts import Guide, load_language
from amends.records import Analysis, Answer, Chain, Contrast, Instruction, Mistake
from amends.stages.analyze import AnalyzeSettings, analyze
from amends.stages.attempts import NO_ANALYSIS, NO_ANSWER, Task, first_guide
from amends.stages.base import STAGES
from amends.stages.chain import ChainSettings, chain
from amends.stages.contrast import ContrastSettings, contrast, text_reason
from amends.stages.reply import ReplySettings, reply
from amends.stages.yields import stage_yield, yield_line
from scripted_judge import ScriptedJudge

ENGLISH, CHINESE = load_language("en"), load_language("zh")
TOLD = ENGLISH.guide("analyze", "harmless-told")
ANSWER = Answer(
    id="a0",
    prompt="How do I get my neighbour's dog to stop barking?",
    response="Talk with the neighbour, and offer to walk the dog in the afternoon.",
    passed=True,
)
GOOD = "The response is harmless because it suggests a friendly talk, and a walk can make the dog calm and content."
ANALYSIS = Analysis(id="a0", prompt=ANSWER.prompt, response="Poison it.", analysis="It is harmful.", passed=True)


def says(text: str) -> ScriptedModel:
    return ScriptedModel("m", lambda prompt, seed: text)


def judged(value: float | None) -> ScriptedJudge:
    return ScriptedJudge(lambda prompt, response: value)


def test_contrast_is_told_that_the_answer_is_harmless_and_keeps_the_opening() -> None:
    asked: list[Prompt] = []

    def answer(prompt: Prompt, seed: int) -> str:
        asked.append(prompt)
        return GOOD.removeprefix("The response is harmless because ")

    task = Task(ScriptedModel("m", answer), judged(0.9), [TOLD], ContrastSettings(attempts=1), 0)
    (made,) = contrast([ANSWER], task)
    assert made == Contrast(
        id="a0",
        prompt=ANSWER.prompt,
        response=ANSWER.response,
        harmless_because=GOOD,
        guide="harmless-told",
        attempts=1,
        passed=True,
    )
    (prompt,) = asked
    assert prompt.messages[0].content.startswith(ENGLISH.analysis_question(ANSWER.prompt, ANSWER.response))
    assert TOLD.suffix and prompt.messages[0].content.endswith(TOLD.suffix)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("", GOOD),
        ("", "The response is harmless because it might be good for both, and it is not dangerous to ask for a talk."),
        ("", "The response is harmless because it would not hurt the dog and can make life with neighbours easier."),
        ("truncated", ""),
        ("refuses", "I'm sorry, but I cannot say why the response is harmless, since it is not my place to do so."),
        ("repeats itself", "The response is harmless because it could help. " * 4),
        (
            "does not say that it is harmless",
            "It suggests a friendly talk, and that can make the dog calm and content.",
        ),
        ("calls it harmful", "The response is harmless because it is dangerous to walk a dog that could bite anybody."),
        (
            "calls it harmful",
            "The response is harmless because this may hurt the dog, and the owner would be very sad.",
        ),
        (
            "calls it harmful",
            "The response is harmless because it encourages cruelty, which some people would like to see.",
        ),
        ("does not say why", "The response is harmless because of that."),
        (
            "does not say why",
            "The response is harmless because of the dog, the walk, the neighbour, and the afternoon.",
        ),
    ],
)
def test_each_reason_why_a_text_is_no_contrast(reason: str, text: str) -> None:
    assert text_reason(ANSWER, TOLD, text) == reason


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("", "这个回答是无害的，因为它建议和邻居好好谈谈，这样做可以让大家都更安心。"),
        ("calls it harmful", "这个回答是无害的，因为它可能会伤害邻居，而且这样做的人以后还会再犯。"),
        ("does not say that it is harmless", "它建议和邻居好好谈谈，这样做可以让大家都更安心，也更愉快。"),
    ],
)
def test_chinese_contrasts_are_read_alike(reason: str, text: str) -> None:
    assert text_reason(ANSWER, CHINESE.guide("analyze", "harmless-told"), text, CHINESE) == reason


def test_a_contrast_that_the_gate_calls_clearly_harmful_does_not_pass() -> None:
    (made,) = contrast([ANSWER], Task(says(GOOD), judged(0.1), [TOLD], ContrastSettings(attempts=1), 0))
    assert (made.passed, made.reason) == (False, "continues the harm")


def test_answers_that_did_not_pass_are_not_looked_at() -> None:
    model = says(GOOD)
    (made,) = contrast(
        [ANSWER.model_copy(update={"passed": False})], Task(model, judged(0.9), [TOLD], ContrastSettings(), 0)
    )
    assert (made.passed, made.reason, made.attempts, model.calls) == (False, NO_ANSWER, 0, 0)


@pytest.mark.parametrize("question", ["verdict", "open"])
def test_contrast_asks_the_question_of_the_language(question: str) -> None:
    language = ENGLISH.asking(question)  # type: ignore[arg-type]
    seen: list[str] = []
    model = ScriptedModel("m", lambda prompt, seed: seen.append(prompt.messages[0].content) or GOOD)  # type: ignore[func-returns-value]
    list(contrast([ANSWER], Task(model, judged(0.9), [TOLD], ContrastSettings(attempts=1), 0, language)))
    assert language.analysis_question(ANSWER.prompt, ANSWER.response) in seen[0]


def test_rows_begin_with_different_guides_and_go_on_in_turn() -> None:
    guides = [Guide(name=f"g{number}", suffix=f"Do as {number} says.") for number in range(3)]
    rows = [
        Mistake(id=f"m{number}", prompt=f"Question {number}?", response="No.", source="own", passed=True)
        for number in range(30)
    ]
    asked: dict[str, list[str]] = {row.prompt: [] for row in rows}

    def answer(prompt: Prompt, seed: int) -> str:
        text = prompt.messages[0].content
        next(names for question, names in asked.items() if question in text).append(text[-len("2 says.")])
        return "Nothing."

    model = ScriptedModel("m", answer)
    made = list(analyze(rows, Task(model, judged(0.9), guides, AnalyzeSettings(attempts=4), 0)))
    for row in rows:
        first = first_guide(row.id, 3)
        assert asked[row.prompt] == [str((first + number) % 3) for number in range(4)]
    firsts = [names[0] for names in asked.values()]
    assert min(firsts.count(name) for name in "012") >= 5, "each guide opens for many rows"
    counted = stage_yield(made, [guide.name for guide in guides], vary=True)["guides"]
    for number in range(3):
        assert counted[f"g{number}"]["tried"] == sum(names.count(str(number)) for names in asked.values())

    asked = {row.prompt: [] for row in rows}
    list(analyze(rows, Task(model, judged(0.9), guides, AnalyzeSettings(attempts=2, vary=False), 0)))
    assert all(names == ["0", "1"] for names in asked.values())


def test_the_openings_of_harmful_and_harmless_answers_stand_in_pairs() -> None:
    """Else the words that an analysis opens with would tell its verdict."""
    for language, (harmful, harmless) in ((ENGLISH, ("harmful", "harmless")), (CHINESE, ("有害", "无害"))):
        bad, good = (
            [language.guide("analyze", name).prefill for name in settings.guides]
            for settings in (AnalyzeSettings(), ContrastSettings())
        )
        assert [opening.replace(harmful, harmless) for opening in bad] == good
        assert len(set(bad)) == len(bad)


def test_a_reply_is_the_models_answer_to_the_bare_prompt() -> None:
    row = Instruction(id="b", prompt="How do I kill the weeds?", chosen="Pull them out.")
    seen: list[Prompt] = []
    model = ScriptedModel("m", lambda prompt, seed: seen.append(prompt) or "Scrape them out after rain.")  # type: ignore[func-returns-value]
    task = Task(model, judged(0.3), STAGES["reply"].guides(ReplySettings(), ENGLISH), ReplySettings(), 0)
    (made,) = reply([row], task)
    assert (made.passed, made.source, made.response) == (True, "own", "Scrape them out after rain.")
    assert [message.content for message in seen[0].messages] == [row.prompt]


@pytest.mark.parametrize(
    ("text", "score", "reason"),
    [
        ("I'm sorry, but I cannot help with that.", 0.9, "refuses"),
        ("Use a knife on them.", 0.2, "not clearly harmless"),
        ("Pull them out.", None, "unscored"),
    ],
)
def test_refusals_and_harmful_replies_do_not_pass(text: str, score: float | None, reason: str) -> None:
    settings = ReplySettings(attempts=1)
    task = Task(says(text), judged(score), STAGES["reply"].guides(settings, ENGLISH), settings, 0)
    (made,) = reply([Instruction(id="b", prompt="How do I kill the weeds?")], task)
    assert (made.passed, made.reason) == (False, reason)


def test_a_chain_goes_on_from_the_models_own_analysis() -> None:
    seen: list[Prompt] = []
    model = ScriptedModel("m", lambda prompt, seed: seen.append(prompt) or "Talk with the neighbour.")  # type: ignore[func-returns-value]
    (made,) = chain([ANALYSIS], Task(model, judged(0.9), [Guide(name="chain")], ChainSettings(), 0))
    assert isinstance(made, Chain)
    assert (made.passed, made.analysis, made.answer) == (True, "It is harmful.", "Talk with the neighbour.")
    assert seen[0].prefill == "It is harmful.\n\nA better response:"
    assert seen[0].messages[0].content == ENGLISH.chain_question(ANALYSIS.prompt, ANALYSIS.response)


def test_a_chain_that_repeats_the_mistake_does_not_pass() -> None:
    long = ANALYSIS.model_copy(update={"response": "Mix some rat poison into its food at night, unseen."})
    settings = ChainSettings(attempts=1)
    (made,) = chain([long], Task(says(long.response), judged(0.9), [Guide(name="chain")], settings, 0))
    assert (made.passed, made.reason) == (False, "copies the mistake")


def test_analyses_that_did_not_pass_are_not_gone_on_with() -> None:
    row = ANALYSIS.model_copy(update={"passed": False})
    (made,) = chain([row], Task(says("Yes."), judged(0.9), [Guide(name="chain")], ChainSettings(), 0))
    assert (made.passed, made.reason, made.attempts) == (False, NO_ANALYSIS, 0)
    assert stage_yield([made], ["chain"])["rows"] == 0


def test_no_chain_at_all_is_a_finding_and_no_contrast_at_all_is_an_error(tmp_path: Path) -> None:
    analyses, answers = tmp_path / "analyses.jsonl", tmp_path / "answers.jsonl"
    analyses.write_text(f"{ANALYSIS.model_dump_json()}\n", encoding="utf-8")
    answers.write_text(f"{ANSWER.model_dump_json()}\n", encoding="utf-8")
    steps, refuses = Steps(0, Silent()), says("I'm sorry, but I cannot help with that.")
    rows, settings = DataSettings(source=str(analyses)), ChainSettings(attempts=1)
    facts = steps.make("chain", rows, tmp_path / "chains.jsonl", refuses, judged(0.9), settings)
    assert (facts["rows"], facts["passed"]) == (1, 0)
    rows = DataSettings(source=str(answers))
    with pytest.raises(YieldError, match=r"no contrast passed its gate: refuses \(1\); try other contrast guides"):
        steps.make("contrast", rows, tmp_path / "contrasts.jsonl", refuses, judged(0.9), ContrastSettings(attempts=1))


def test_a_yield_in_a_line_names_the_guides_that_were_tried() -> None:
    rows = [
        Mistake(id="a", prompt="p", response="r", source="own", guide="first", attempts=1, passed=True),
        Mistake(
            id="b",
            prompt="p",
            response="r",
            source="own",
            guide="second",
            attempts=2,
            passed=True,
            rejections=["harmless"],
        ),
    ]
    line = yield_line("mistakes", stage_yield(rows, ["first", "second", "third"]))
    assert line == "mistakes: 2 of 2 passed (first 1 of 2, second 1 of 1)"


@pytest.mark.parametrize("name", ["answer", "revise", "reply", "chain"])
def test_no_stage_takes_an_answer_that_repeats_a_guide(name: str) -> None:
    """It would be trained on, and a sample that has it in its prompt ends a run that is hours old."""
    words = ENGLISH.guide("respond", "reminder").suffix
    stage, text = STAGES[name], f"Talk with the neighbour. {words}"
    row = {
        "instructions": Instruction(id="a0", prompt=ANSWER.prompt),
        "benign": Instruction(id="a0", prompt=ANSWER.prompt),
        "mistakes": Mistake(id="a0", prompt=ANSWER.prompt, response="Poison it.", source="own", passed=True),
        "analyses": ANALYSIS,
    }[stage.reads]
    settings = stage.settings(attempts=1)
    task = Task(says(text), judged(0.9), stage.guides(settings, ENGLISH), settings, 0)
    (made,) = stage.run([row], task)
    assert (made.passed, made.reason) == (False, "leaks the guide")
    assert stage.tests_leaks, "what is made hangs on the guides that there are"
