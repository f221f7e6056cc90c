"""`executor.engine=vllm` on a real Ray, its engine in another environment: all rows, in order, whatever fails.

vLLM itself is not there: what stands for Ray's stage answers as that one was seen to (engine_double.py).
"""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_double import environment

from amends.errors import InputError, ModelError, OutageError
from amends.evaluation.respond import RespondTask
from amends.models.base import Prompt, Sampling
from amends.models.endpoint.model import EndpointModel
from amends.models.hf import LocalModel
from amends.models.turns import Turn, Turns
from amends.pipeline.driver import fill
from amends.pipeline.executors.ray import Ray, RaySettings
from amends.pipeline.executors.ray_engine import EngineTold, problem_of
from amends.pipeline.executors.ray_vllm import VllmModel
from amends.progress import observed
from amends.prompts import UNGUIDED
from amends.records import Instruction, Message, Response
from amends.stages.chunks import Work
from conftest import contents, run_amends
from scripted_judge import artifact_in, written
from tiny import tiny_adapter, tiny_model
from tiny_tokenizer import tiny_tokenizer

TESTS = Path(__file__).parents[1]
SAMPLING = Sampling(max_new_tokens=8)
ROWS = [Instruction(id=str(number), prompt=f"{number} is a number") for number in range(7)]
pytest.importorskip("ray")


class Site:
    """A cluster, a model, an environment, and what the engines note."""

    def __init__(self, directory: Path, address: str) -> None:
        self.directory, self.address = directory, address
        self.model = tiny_model(directory / "model", tokenizer=tiny_tokenizer())
        self.environment = environment(directory / "environment")
        self.calls = 0

    def told(self, **options: Any) -> EngineTold:
        """An engine with notes of its own."""
        self.calls += 1
        self.notes = self.directory / f"notes-{self.calls}"
        self.notes.mkdir()
        return EngineTold(str(self.environment), {"notes": str(self.notes), **options})

    def executor(self, **options: Any) -> Ray:
        told = self.told(**options)
        return Ray(RaySettings(engine="vllm", workers=1, environment=told.environment, engine_options=told.options))

    def engines(self) -> int:
        """How many processes had an engine."""
        return len(list(self.notes.glob("engine.*")))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *sys.path]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        small = {"num_cpus": 1, "num_gpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
        patch.setenv("CUDA_VISIBLE_DEVICES", "0")  # so that the node has what it says that it has
        cluster = Cluster(initialize_head=True, head_node_args=small)
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        found = Site(tmp_path_factory.mktemp("site"), f"127.0.0.1:{cluster.address.rpartition(':')[2]}")
        Ray(RaySettings(address=found.address)).reach()
        try:
            yield found
        finally:
            ray.shutdown()
            cluster.shutdown()


def prompts(*texts: str) -> list[Prompt]:
    return [Prompt((Message(role="user", content=text),)) for text in texts]


def fault(model: LocalModel, prompt: Prompt) -> str:
    """By what the double tells prompts apart: the sum of their tokens."""
    return str(sum(model._encode(prompt)))


def test_rows_come_back_whole_and_in_order_whatever_the_engine_does(site: Site, tmp_path: Path) -> None:
    """One row fails once, one always, and the engine dies in the middle of one: none is lost."""
    asked = [UNGUIDED.prompt(row.prompt) for row in ROWS]
    base = LocalModel(str(site.model))
    faults = {2: "fails once", 3: "fails", 5: "dies once"}
    executor = site.executor(faults={fault(base, asked[row]): how for row, how in faults.items()})
    model = executor.answering(base)
    assert isinstance(model, VllmModel) and model.fingerprint != base.fingerprint
    executor.check([model], tmp_path)
    artifact, told = artifact_in(tmp_path), []
    task = RespondTask(model, UNGUIDED, SAMPLING, 3)
    with observed(lambda rows, tokens: told.append((rows, tokens))):
        fill(artifact, ROWS, Work(task.work().process, task, 3), executor)
    made = written(artifact, Response)
    executor.release()
    assert [row.id for row in made] == [row.id for row in ROWS]
    assert [bool(row.response) for row in made] == [number != 3 for number in range(7)]
    assert all(row.finished for row in made if row.response) and not made[3].finished
    assert site.engines() == 2, "a second one, after the first died; both chunks and rounds are asked of the same"
    assert sum(rows for rows, _ in told) == 7
    assert {path.read_text() for path in site.notes.glob("engine.*")} == {"0"}, "the GPU that its worker has"


def test_a_row_is_asked_again_until_it_is_taken_beside_others(site: Site) -> None:
    model = VllmModel(LocalModel(str(site.model)), site.told())
    asked: list[Turn] = []

    def take(answered: Any) -> list[bool]:
        asked.extend(turn for turn, _ in answered)
        return [turn.attempt == turn.row for turn, _ in answered]

    given = prompts("one", "two", "three")
    model.generate_until_taken(Turns(3, 3, lambda turn: given[turn.row], take), SAMPLING, 5)
    model.release()
    assert sorted(asked) == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    assert site.engines() == 1


def test_a_prompt_without_room_is_not_asked(site: Site) -> None:
    model = VllmModel(LocalModel(str(site.model)), site.told(max_model_len=200))
    long, short = model.generate(prompts("many words " * 200, "few"), SAMPLING, 0)
    model.release()
    assert long.had_no_room and not short.had_no_room


def test_an_adapter_goes_with_each_row(site: Site, tmp_path: Path) -> None:
    base = LocalModel(str(site.model))
    adapted = LocalModel(str(site.model), adapter=tiny_adapter(tmp_path / "adapter", site.model))
    made = []
    for one in (base, adapted):
        model = VllmModel(one, site.told())
        made.append(model.generate(prompts("Name a colour."), SAMPLING, 0))
        model.release()
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("told", "error", "said"),
    [
        ({"nonsense": 1}, ModelError, "by vLLM: the engine does not start .*unexpected keyword argument 'nonsense'"),
        ({"faults": {"all": "fails"}}, ModelError, "the engine answers no row .*no room in the cache"),
        ({"faults": {"all": "dies"}}, OutageError, "its engine ended"),
    ],
)
def test_an_engine_that_does_not_work_is_said(site: Site, told: dict[str, Any], error: Any, said: str) -> None:
    model = VllmModel(LocalModel(str(site.model)), site.told(**told))
    with pytest.raises(error, match=said):
        model.generate(prompts("one", "two"), SAMPLING, 0)
    model.release()


def test_an_environment_without_vllm_or_of_another_python_is_refused(site: Site, tmp_path: Path) -> None:
    assert problem_of(site.told()) == ""
    here = EngineTold(None, {})
    assert problem_of(here) == f"{sys.executable} has no vLLM"
    assert "no/python does not run (" in problem_of(here._replace(environment="no/python"))
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho \'{"Python": "3.9.1", "ray": "2.1", "vllm": "0.32.0"}\'\n')
    python.chmod(0o755)
    found = problem_of(here._replace(environment=str(python)))
    assert f"has another Python 3.9.1 (here {platform.python_version()})" in found and "ray 2.1 (here" in found
    executor = Ray(RaySettings(engine="vllm", workers=1, environment="no/python"))
    with pytest.raises(InputError, match=r"executor.engine: node .*: no/python does not run .*executor.environment"):
        executor.check([], tmp_path)
    executor.release()


def test_servers_answer_for_themselves(site: Site) -> None:
    model = EndpointModel("m", "http://h/v1")
    assert site.executor().answering(model) is model


def test_a_run_by_the_engine_is_another_than_one_by_transformers(
    site: Site,
    tmp_path: Path,
    tiny_settings: list[str],
    refused: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its answers are the engine's, its losses the model's; another engine does not go on with them."""
    told, out = site.told(), tmp_path / "run"
    common = ["run", *tiny_settings, "methods=[vanilla]", "--out", str(out)]
    options = [f"executor.address={site.address}", "executor=ray", "executor.engine=vllm"]
    options += [f"executor.environment={told.environment}", f"executor.engine_options.notes={told.options['notes']}"]
    assert run_amends(*common, *options) == 0
    assert site.engines() >= 1
    before = contents(out)
    assert run_amends(*common, *options) == 0
    assert contents(out) == before
    capsys.readouterr()
    said = refused(*common)
    assert "was made with other settings" in said and "model" in said
