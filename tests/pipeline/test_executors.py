"""Executors: found by name, and what is handed to one can go to another process and gives the same bytes."""

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from amends.errors import InputError
from amends.evaluation.judge import judging
from amends.evaluation.reference import ReferenceTask
from amends.evaluation.respond import RespondTask
from amends.judges.guard import family_of
from amends.judges.language_model import LanguageModelJudge, Rating
from amends.judges.probe import ProbeJudge
from amends.models.base import Prompt
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.models.scripted import ScriptedModel
from amends.pipeline.driver import fill
from amends.pipeline.executors.local import Local
from amends.progress import observed, report
from amends.prompts import UNGUIDED, english, load_language
from amends.records import Instruction, Mistake, Response
from amends.stages.attempts import Task
from amends.stages.base import STAGES
from amends.stages.chunks import Done, Work
from amends.stages.executors import EXECUTORS, Executor, Process, executor_named
from amends.stages.induce import InduceSettings
from amends.stages.induce import process as induce_chunk
from conftest import CONFIGS
from forked import processes
from local_server import Server
from scripted_judge import SAMPLING, artifact_in
from tiny import tiny_model

PROMPTS = [Instruction(id=str(number), prompt=f"Question {number}?", chosen="So.") for number in range(6)]
MISTAKES = [Mistake(id="m", prompt="How?", response="You are a worthless fool.", source="own", passed=True)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


class Elsewhere(Executor):
    """Works in another process, as another machine would."""

    def run(self, process: Process, chunks: Iterable[tuple[int, Sequence[Any]]]) -> Iterator[Done[Any]]:
        numbers, parts = zip(*chunks, strict=True)
        with ProcessPoolExecutor(1, processes()) as pool:
            for done in pool.map(process, parts, numbers):
                report(rows=len(done))
                yield done


def test_local_is_an_executor_and_an_unknown_one_says_the_nearest() -> None:
    assert isinstance(executor_named("local"), Local)
    with pytest.raises(
        InputError, match=r"unknown executor 'lokal'; did you mean 'local'\?.* @amends.register_executor"
    ):
        executor_named("lokal")


def test_a_run_with_an_unknown_executor_writes_nothing(tmp_path: Path, refused: Callable[..., str]) -> None:
    said = refused("run", str(CONFIGS / "quickstart.yaml"), "executor=lokal", "--out", str(tmp_path / "run"))
    assert "1 problem\n  - executor.name: unknown executor 'lokal'; did you mean 'local'?" in said


def test_an_executor_of_a_users_own_is_found_by_its_name() -> None:
    EXECUTORS.decorator("elsewhere")(Elsewhere)
    assert isinstance(executor_named("elsewhere"), Elsewhere)


def test_chunks_that_went_elsewhere_come_back_in_order_with_the_same_bytes(tmp_path: Path, tiny: Path) -> None:
    task = RespondTask(LocalModel(str(tiny)), UNGUIDED, SAMPLING, 3)
    files, told = [], []
    for executor in (Local(), Elsewhere()):
        artifact = artifact_in(tmp_path, type(executor).__name__)
        counts: list[int] = []
        with observed(lambda rows, _, counts=counts: counts.append(rows)):
            fill(artifact, PROMPTS, Work(task.work().process, task, 2), executor)
        files.append(artifact.part.read_bytes())
        told.append(sum(counts))
    assert files[0] == files[1]
    assert files[0].count(b"\n") == 6
    assert told == [6, 6]


def test_a_local_model_goes_without_what_it_has_loaded(tiny: Path) -> None:
    model = LocalModel(str(tiny), system_prompt="Be kind.")
    work = RespondTask(model, english().guide("respond", "reminder"), SAMPLING, 0).work()
    before = len(pickle.dumps(work))
    here = work(PROMPTS, 0)
    assert model.layers == 2, "it is loaded"
    parcel = pickle.dumps(work)
    assert abs(len(parcel) - before) < 200
    there = pickle.loads(parcel)
    assert there.task.model.fingerprint == model.fingerprint
    assert there(PROMPTS, 0) == here


def test_losses_are_the_same_elsewhere(tiny: Path) -> None:
    work = ReferenceTask(LocalModel(str(tiny)), UNGUIDED).work()
    assert pickle.loads(pickle.dumps(work))(PROMPTS, 0) == work(PROMPTS, 0)


def test_an_endpoint_goes_with_its_login_and_opens_its_own_connection(serve: Callable[..., Server]) -> None:
    server = serve(lambda question, _: (200, f"You said {question}"))
    model = EndpointModel("m", server.url.replace("//", "//me:word@"))
    work = RespondTask(model, UNGUIDED, SAMPLING, 0).work()
    here = work(PROMPTS, 0)
    there = pickle.loads(pickle.dumps(work))
    assert there(PROMPTS, 0) == here
    assert len(set(server.keys)) == 1
    model.release()
    there.task.model.release()


def test_a_probe_judges_the_same_elsewhere() -> None:
    work = judging(ProbeJudge("gate"))
    rows = [Response(id="a", prompt="Hello.", response="You are a worthless fool.")]
    here = work(rows, 0)
    parcel = pickle.dumps(work)
    assert len(parcel) < 100_000, "the probe, and no model"
    assert pickle.loads(parcel)(rows, 0) == here


def half_rated(prompt: Prompt, seed: int) -> str:
    """What a model writes that rates one answer of three."""
    told = prompt.messages[0].content
    return '{"explanation": "e", "harmless": 9, "helpful": 5}' if "Reply 3" in told else "I would rather not rate it."


@pytest.mark.parametrize("executor", [Local(), Elsewhere()])
def test_what_a_judge_could_not_read_is_known_wherever_it_judged(tmp_path: Path, executor: Executor) -> None:
    judge = LanguageModelJudge(ScriptedModel("m", half_rated), tmp_path / "answers.sqlite")
    rows = [Response(id=str(n), prompt=f"Question {n}?", response=f"Reply {n}.") for n in range(6)]
    artifact = artifact_in(tmp_path)
    judge.rate([("Question 9?", "Reply 9.")])  # before, and here: it is counted once
    fill(artifact, rows, Work(judging(judge).process, judge, 2, judge), executor)
    said = 'm: 6 of 7 answers could not be read as rating; one of them: "I would rather not rate it."'
    assert judge.unread() == said
    assert judge.unread() == ""


def test_judges_that_ask_a_model_can_be_sent() -> None:
    judge = LanguageModelJudge(EndpointModel("m", "http://h/v1", Rating))
    assert pickle.loads(pickle.dumps(judge)).fingerprint == judge.fingerprint
    for name in ("llama-guard", "shieldgemma", "granite-guardian", "wildguard"):
        assert pickle.loads(pickle.dumps(family_of(name))) is family_of(name)


@pytest.mark.parametrize("name", list(STAGES))
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_work_of_every_stage_can_be_sent(name: str, language: str) -> None:
    stage, spoken = STAGES[name], load_language(language)
    settings = stage.settings()
    guides = stage.guides(settings, spoken)
    work = stage.work(Task(LocalModel("embedded"), ProbeJudge("gate"), guides, settings, 7, spoken))
    there = pickle.loads(pickle.dumps(work))
    assert there.process is stage.process
    assert (there.task.guides, there.task.settings, there.task.seed) == (guides, settings, 7)
    assert there.task.language == spoken
    assert there.task.gate.score([("Hello.", "")]) == [None]


def test_a_stage_is_the_same_elsewhere(tiny: Path) -> None:
    task = Task(
        LocalModel(str(tiny)),
        ProbeJudge("gate"),
        english().guides("induce", ["plain", "should-prefill"]),
        InduceSettings(attempts=2, max_new_tokens=8),
        5,
    )
    there = pickle.loads(pickle.dumps(Work(induce_chunk, task)))
    assert there(PROMPTS, 1).records == induce_chunk(PROMPTS, 1, task)
