"""Samples that teach a verdict: as many harmless as harmful responses, none with loss, no guide in a prompt."""

from collections import Counter
from collections.abc import Sequence

import pytest

from amends.config.methods import METHODS
from amends.errors import SampleError
from amends.models.loading import load_tokenizer
from amends.models.source import find_model
from amends.prompts import Language, english, load_language
from amends.records import Analysis, Chain, Contrast, Record, Sample
from amends.training.compose import compose
from amends.training.tokenize import NO_LOSS, tokenize_sample


def analyses(count: int, passed: bool = True) -> list[Analysis]:
    return [
        Analysis(
            id=f"r{number}",
            prompt=f"Question {number}?",
            response=f"Mistake number {number}.",
            analysis=f"The response is harmful because of reason {number}.",
            passed=passed,
        )
        for number in range(count)
    ]


def contrasts(count: int, passed: bool = True) -> list[Contrast]:
    return [
        Contrast(
            id=f"r{number}",
            prompt=f"Question {number}?",
            response=f"Safe answer number {number}.",
            harmless_because=f"The response is harmless because of reason {number}.",
            passed=passed,
        )
        for number in range(count)
    ]


def chains(first_time: int, later: int, never: int, untried: int = 0) -> list[Chain]:
    whole = Chain(id="r", prompt="Question?", response="No.", analysis="It is bad.", answer="Yes.", passed=True)
    kinds = [{"passed": True, "attempts": 1}] * first_time + [{"passed": True, "attempts": 2}] * later
    kinds += [{"passed": False, "attempts": 6, "reason": "refuses"}] * never
    kinds += [{"passed": False, "attempts": 0, "reason": "no analysis"}] * untried
    return [whole.model_copy(update={"id": f"r{number}", **kind}) for number, kind in enumerate(kinds)]


def made(kinds: Sequence[str], sets: dict[str, Sequence[Record]], language: Language | None = None) -> list[Sample]:
    return list(compose(kinds, sets, {}, language))


@pytest.mark.parametrize("harmless", [3, 10, 25])
def test_there_are_as_many_contrasts_and_verdicts_as_mistakes_have_analyses(harmless: int) -> None:
    sets = {"analyses": [*analyses(10), *analyses(20, False)[10:]], "contrasts": contrasts(harmless)}
    samples = made(["analysis", "contrast", "verdict"], sets)
    assert Counter(sample.kind for sample in samples) == {"analysis": 10, "contrast": 10, "verdict": 20}
    said = Counter(sample.completion[0].content for sample in samples if sample.kind == "verdict")
    assert said == {english().template("says_harmful"): 10, english().template("says_harmless"): 10}
    assert len({sample.id for sample in samples}) == len(samples)
    shown = Counter(sample.prompt[0].content for sample in samples if sample.kind == "contrast")
    assert max(shown.values()) - min(shown.values()) <= 1, "all rows are taken alike often"


def test_contrasts_are_spread_over_all_rows_where_there_are_more_than_mistakes() -> None:
    samples = made(["contrast"], {"analyses": analyses(5), "contrasts": contrasts(50)})
    numbers = [int(sample.id.removeprefix("contrast-r")) for sample in samples]
    assert numbers == [9, 19, 29, 39, 49]


def test_only_contrasts_that_passed_are_taken() -> None:
    sets = {"analyses": analyses(2), "contrasts": [*contrasts(2, False), *contrasts(3)[2:]]}
    assert {sample.prompt[0].content for sample in made(["contrast"], sets)} == {
        english().analysis_question("Question 2?", "Safe answer number 2.")
    }


@pytest.mark.parametrize("method", ["mistake-analysis-contrast", "mistake-analysis-plus", "placebo"])
def test_no_shown_response_carries_loss(method: str) -> None:
    """Neither mistakes (invariant 2) nor the harmless answers of contrast."""
    tokenizer = load_tokenizer(find_model("embedded"))
    sets = {"analyses": analyses(4), "contrasts": contrasts(4), "chains": chains(4, 0, 0)}
    samples = made(METHODS[method].kinds, sets)
    assert len(samples) >= 4
    for sample in samples:
        tokens = tokenize_sample(sample, tokenizer)
        targets = [token for token, label in zip(tokens.input_ids, tokens.labels, strict=True) if label != NO_LOSS]
        text = tokenizer.decode(targets)
        assert "Mistake number" not in text and "Safe answer number" not in text
        assert "Question" not in text


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize("question", ["verdict", "open"])
def test_a_guide_in_a_harmless_answer_is_refused(code: str, question: str) -> None:
    """The leak test reads the prompts of contrasts, under both questions and in both languages."""
    language = load_language(code).asking(question)  # type: ignore[arg-type]
    sets: dict[str, Sequence[Record]] = {"analyses": analyses(3), "contrasts": contrasts(3)}
    assert made(["analysis", "contrast", "verdict"], sets, language)
    for name in ("harmless-told", "harmless-reviewer", "told-since"):
        guide = language.guide("analyze", name)
        leaking = contrasts(1)[0].model_copy(update={"response": f"Well. {guide.suffix or guide.system}"})
        with pytest.raises(SampleError, match=r"contrast-r0: .* guide"):
            made(["contrast"], sets | {"contrasts": [leaking]}, language)


def test_the_open_question_names_no_axis() -> None:
    language = english().asking("open")
    (sample, *_) = made(["analysis"], {"analyses": analyses(1)}, language)
    assert sample.prompt[0].content == language.analysis_question("Question 0?", "Mistake number 0.")
    assert sample.prompt[0].content.endswith("Assess the response.")
    assert "harm" not in sample.prompt[0].content


def test_the_placebo_has_each_analysis_once_and_none_with_its_own_mistake() -> None:
    rows = [row.model_copy(update={"id": f"{row.id}{copy}"}) for row in analyses(12) for copy in ("", "+2", "+3")]
    samples = made(["placebo"], {"analyses": [*rows, *analyses(30, False)[20:]]})
    right = {english().analysis_question(row.prompt, row.response): row.analysis for row in rows}
    assert len(samples) == len(rows)
    assert all(right[sample.prompt[0].content] != sample.completion[0].content for sample in samples)
    given = Counter(sample.completion[0].content for sample in samples)
    assert given == Counter(row.analysis for row in rows)


def test_the_placebo_hangs_on_ids_and_not_on_the_order_of_rows() -> None:
    one, other = ({s.id: s for s in made(["placebo"], {"analyses": rows})} for rows in (analyses(9), analyses(9)[::-1]))
    assert one == other


@pytest.mark.parametrize(
    ("rows", "taken"),
    [(chains(1, 2, 1), 3), (chains(1, 5, 0), 0), (chains(2, 0, 6, untried=40), 2), (chains(0, 0, 4), 0)],
)
def test_chains_are_trained_where_a_quarter_of_the_first_attempts_passed(rows: list[Chain], taken: int) -> None:
    samples = made(["chain", "analysis"], {"chains": rows, "analyses": analyses(1)})
    assert sum(sample.kind == "chain" for sample in samples) == taken


def test_a_chain_is_the_analysis_and_the_answer_behind_a_neutral_question() -> None:
    (sample,) = made(["chain"], {"chains": chains(1, 0, 0)})
    assert sample.prompt[0].content == english().chain_question("Question?", "No.")
    assert sample.completion[0].content == "It is bad.\n\nA better response: Yes."


def test_chinese_chains_have_no_space_where_it_writes_none() -> None:
    (sample,) = made(["chain"], {"chains": chains(1, 0, 0)}, load_language("zh"))
    assert sample.completion[0].content == "It is bad.\n\n更好的回答：Yes."
