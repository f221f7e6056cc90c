"""Chunks: their size, what is reported of them, and rows of another stage."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from amends.errors import InputError
from amends.evaluation.judge import judge
from amends.evaluation.reference import ReferenceTask, reference_losses
from amends.evaluation.respond import RespondTask, respond
from amends.judges.language_model import LanguageModelJudge
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.models.scripted import ScriptedModel
from amends.progress import observed, observer, report
from amends.prompts import UNGUIDED
from amends.records import Analysis, Answer, Instruction, Mistake, Response, Verdict
from amends.stages.analyze import AnalyzeSettings, analyze
from amends.stages.answer import AnswerSettings, answer
from amends.stages.attempts import Task
from amends.stages.base import STAGES, Stage, in_order, made_by
from amends.stages.chunks import CHUNK_ROWS, Work, chunk_rows_for, chunked
from amends.stages.induce import InduceSettings, induce
from amends.stages.revise import ReviseSettings, revise
from amends.training.compose import compose
from scripted_judge import SAMPLING, by_word

INSTRUCTION = Instruction(id="i", prompt="How?", chosen="So.")
MADE = {"id": "m", "prompt": "How?", "response": "So.", "passed": True}
MISTAKE = Mistake.model_validate(MADE | {"source": "own"})
ANALYSIS = Analysis.model_validate(MADE | {"analysis": "It hurts."})
ANSWER = Answer.model_validate(MADE)
RESPONSE = Response(id="r", prompt="How?", response="So.")


def process(chunk: Sequence[int], number: int, task: str) -> list[Verdict]:
    """Half the rows are reported early."""
    report(rows=len(chunk) // 2, tokens=2 * len(chunk))
    return [Verdict(id=f"{row}-{number}-{task}", verdict="harmless") for row in chunk]


def test_chunked_keeps_the_order_and_holds_one_chunk() -> None:
    drawn: list[int] = []

    def rows() -> Iterator[int]:
        for row in range(7):
            drawn.append(row)
            yield row

    chunks = chunked(rows(), 3)
    assert next(chunks) == [0, 1, 2]
    assert drawn == [0, 1, 2]
    assert list(chunks) == [[3, 4, 5], [6]]
    assert list(chunked([], 3)) == []


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 25])
def test_all_rows_are_reported_once(count: int) -> None:
    told: list[tuple[int, int]] = []
    with observed(lambda rows, tokens: told.append((rows, tokens))):
        found = list(Work(process, "t", 10).over(range(count)))
    assert [row.id for row in found] == [f"{row}-{row // 10}-t" for row in range(count)]
    assert sum(rows for rows, _ in told) == count
    assert sum(tokens for _, tokens in told) == 2 * count


def test_without_an_observer_nothing_is_told() -> None:
    told: list[int] = []
    with observed(lambda rows, tokens: told.append(rows)):
        pass
    report(rows=1)
    assert len(list(Work(process, "t", 10).over(range(3)))) == 3
    assert told == []


def test_a_notebook_sees_the_rows_and_tokens_of_a_stage() -> None:
    told: list[tuple[int, int]] = []
    model = ScriptedModel("m", lambda *_: "poison it")
    with observed(lambda rows, tokens: told.append((rows, tokens))):
        list(induce([INSTRUCTION], Task(model, by_word("poison"), [UNGUIDED], InduceSettings(), 0)))
    assert (sum(rows for rows, _ in told), sum(tokens for _, tokens in told)) == (1, 2)
    before = observer()
    with pytest.raises(KeyboardInterrupt), observed(print):
        raise KeyboardInterrupt
    assert observer() is before, "it ends with what it was set for, also where that fails"


def test_a_stage_that_drops_rows_is_refused() -> None:
    with pytest.raises(AssertionError, match="2 records for 3 rows"):
        Work(lambda chunk, *rest: process(chunk[1:], *rest), "t")([1, 2, 3], 0)


def test_chunks_are_of_a_fixed_size() -> None:
    """It decides about seeds: another size gives other mistakes, so that it must not change unnoticed."""
    found = list(Work(process, "t").over(range(300)))
    assert CHUNK_ROWS == 256
    assert [row.id.split("-")[1] for row in found].count("0") == 256


def test_a_device_says_how_many_rows_fill_it() -> None:
    assert chunk_rows_for(EndpointModel("m", "http://h/v1")) == CHUNK_ROWS
    assert chunk_rows_for(LocalModel("embedded", device="cpu")) == CHUNK_ROWS
    assert chunk_rows_for(LocalModel("embedded", device="cuda")) == 4_096
    assert chunk_rows_for(LanguageModelJudge(LocalModel("embedded", device="cuda"))) == 4_096
    model = ScriptedModel("m", lambda *_: "")
    assert chunk_rows_for(model) == CHUNK_ROWS
    model.capacity = 20
    assert chunk_rows_for(model) == 20


def never() -> ScriptedModel:
    return ScriptedModel("m", lambda *_: pytest.fail("the model was asked"))


def task(settings: object) -> Task[object]:
    return Task(never(), by_word("poison"), [UNGUIDED], settings, 0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: induce([MISTAKE], task(InduceSettings())),
            "induce reads rows of Instruction, and row 'm' is of Mistake",
        ),
        (lambda: answer([RESPONSE], task(AnswerSettings())), "answer reads rows of Instruction, .* is of Response"),
        (
            lambda: analyze([INSTRUCTION], task(AnalyzeSettings())),
            "analyze reads rows of Mistake, .*'i' is of Instruction",
        ),
        (
            lambda: analyze([INSTRUCTION, ANALYSIS], task(AnalyzeSettings(per_mistake=2))),
            "analyze reads rows of Mistake, and row 'i' is of Instruction",
        ),
        (
            lambda: analyze([{"id": "m"}], task(AnalyzeSettings())),
            "analyze reads rows of Mistake, and a row is of dict",
        ),
        (
            lambda: revise([ANALYSIS], task(ReviseSettings())),
            "revise reads rows of Mistake, and row 'm' is of Analysis",
        ),
        (lambda: respond([ANSWER], RespondTask(never(), UNGUIDED, SAMPLING, 0)), "respond reads rows of Instruction"),
        (lambda: judge([ANALYSIS], by_word("x")), "judge reads rows of Response or Mistake or Answer, .* of Analysis"),
        (lambda: judge([INSTRUCTION], by_word("x")), "judge reads rows of Response or .* is of Instruction"),
        (
            lambda: reference_losses([RESPONSE], ReferenceTask(never(), UNGUIDED)),
            "reference_losses reads .* of Response",
        ),
        (
            lambda: compose(["analysis"], {"analyses": [MISTAKE]}, {}),
            "compose reads rows of Analysis, .* is of Mistake",
        ),
        (
            lambda: compose(["safe"], {"instructions": [MISTAKE]}, {}),
            "compose reads rows of Instruction, .* of Mistake",
        ),
    ],
)
def test_rows_of_another_stage_are_refused_by_name(call: Callable[[], Iterator[object]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(call())


def test_what_holds_a_response_to_its_own_prompt_can_be_judged() -> None:
    assert [row.id for row in judge([RESPONSE, MISTAKE, ANSWER], by_word("poison"))] == ["r", "m", "m"]


def test_each_mistake_is_analyzed_as_often_as_the_settings_say() -> None:
    model = ScriptedModel("m", lambda *_: "")
    settings = AnalyzeSettings(per_mistake=3, attempts=1)
    found = list(analyze([MISTAKE], Task(model, by_word("x"), [UNGUIDED], settings, 0)))
    assert [row.id for row in found] == ["m", "m+2", "m+3"]


def test_stages_come_behind_those_that_write_what_they_read() -> None:
    names = [stage.name for stage in in_order()]
    assert sorted(names) == sorted(STAGES)
    for stage in in_order():
        maker = made_by(stage.reads)
        assert maker is None or names.index(maker.name) < names.index(stage.name)


def test_an_unknown_stage_and_two_of_one_name() -> None:
    with pytest.raises(InputError, match=r"unknown stage 'analyse'; did you mean 'analyze'\?.*To add one: "):
        STAGES["analyse"]
    again = Stage("induce", "instructions", Instruction, "mistakes", Mistake, InduceSettings, lambda *_: [])
    with pytest.raises(
        InputError, match=r"two stages are named 'induce', one in .*induce\.py.* and one in .*test_chunks"
    ):
        STAGES.register(again.name, again)
