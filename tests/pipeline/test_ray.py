"""The executor `ray` on a real cluster of two nodes on this machine: local's bytes, whatever is lost on the way."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from amends.config.reading import load_configuration
from amends.errors import AmendsError, ConfigError, InputError, ModelError
from amends.evaluation.respond import RespondTask
from amends.judges.probe import ProbeJudge
from amends.models.hf import LocalModel
from amends.pipeline.driver import fill
from amends.pipeline.executors.local import Local
from amends.pipeline.executors.ray import Ray, RaySettings
from amends.pipeline.executors.ray_worker import differing, versions
from amends.progress import observed
from amends.prompts import UNGUIDED
from amends.records import Instruction, Verdict
from amends.stages.chunks import Work
from conftest import CONFIGS, TINY, record_bytes, run_amends
from scripted_judge import SAMPLING, CutModel, artifact_in, written
from tiny import tiny_model

TESTS = Path(__file__).parents[1]
ROWS = [Instruction(id=str(number), prompt=f"Question {number}?") for number in range(14)]
pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core each; this process is connected to them by the first executor that works there."""
    import ray
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *sys.path]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # 15 otherwise: beside other processes of tests nothing would be done
        started = Cluster(initialize_head=True, head_node_args=small | {"include_dashboard": False})
        try:
            started.second = started.add_node(**small)
            started.local = f"127.0.0.1:{started.address.rpartition(':')[2]}"  # which the guard of all tests lets pass
            yield started
        finally:
            ray.shutdown()
            started.shutdown()


@pytest.fixture(scope="module")
def executor(cluster: Any) -> Iterator[Ray]:
    one = Ray(RaySettings(address=cluster.local))
    yield one
    one.release()


def noted(chunk: Sequence[int], number: int, task: Path) -> list[Verdict]:
    """Records of a chunk, and a file that says who did it."""
    (task / f"{number}.{os.getpid()}").touch()
    return [Verdict(id=f"{row}-{number}", verdict="harmless") for row in chunk]


def killed_once(chunk: Sequence[int], number: int, task: Path) -> list[Verdict]:
    """The worker is killed in the middle of the second chunk, the first time."""
    if number == 1 and not (task / "killed").exists():
        (task / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(chunk, number, task)


def killed_always(chunk: Sequence[int], number: int, task: Path) -> list[Verdict]:
    if 3 in chunk:
        os.kill(os.getpid(), signal.SIGKILL)
    return noted(chunk, number, task)


def full_once(chunk: Sequence[int], number: int, task: Path) -> list[Verdict]:
    """A chunk wants more memory than any machine has, the first time."""
    if number == 1 and not any(task.glob("full.*")):
        (task / f"full.{os.getpid()}").touch()
        bytearray(2**60)
    return noted(chunk, number, task)


def full_always(chunk: Sequence[int], number: int, task: Path) -> list[Verdict]:
    return noted(chunk, number, task) if 3 not in chunk else [bytearray(2**60)]  # type: ignore[list-item]


def poisoned(chunk: Sequence[int], number: int, task: Path) -> list[Verdict]:
    if 5 in chunk:
        raise ConfigError("rows", ["row 5 is poison"])
    return noted(chunk, number, task)


def slow(chunk: Sequence[int], number: int, task: Path) -> list[Verdict]:
    """Takes so long that a node is lost in the middle of it."""
    (task / f"begun-{number}").touch()
    time.sleep(0.2)
    return noted(chunk, number, task)


def filled(directory: Path, name: str, executor: Any, process: Any = noted, rows: int = 7) -> bytes:
    artifact = artifact_in(directory, f"{name}.jsonl")
    notes = directory / name
    notes.mkdir(exist_ok=True)
    fill(artifact, range(rows), Work(process, notes, 2), executor)
    return artifact.part.read_bytes()


def test_a_model_answers_with_locals_bytes_and_progress_is_reported(tmp_path: Path, executor: Ray) -> None:
    task = RespondTask(LocalModel(str(tiny_model(tmp_path / "model"))), UNGUIDED, SAMPLING, 3)
    files, told = [], []
    for one in (Local(), executor):
        artifact, counts = artifact_in(tmp_path, type(one).__name__), []
        with observed(lambda rows, tokens, counts=counts: counts.append((rows, tokens))):
            fill(artifact, ROWS, Work(task.work().process, task, 3), one)
        files.append(artifact.part.read_bytes())
        told.append(tuple(map(sum, zip(*counts, strict=True))))
    assert files[0] == files[1] and files[0].count(b"\n") == 14
    assert told[0] == told[1] and told[0][0] == 14 and told[0][1] > 0


def test_the_chunks_of_a_worker_that_is_killed_are_done_by_others(tmp_path: Path, executor: Ray) -> None:
    made = filled(tmp_path, "ray", executor, killed_once, 9)
    assert made == filled(tmp_path, "local", Local(), rows=9)
    assert (tmp_path / "ray/killed").exists()


def test_a_worker_out_of_memory_is_started_anew_and_others_do_its_chunks(
    tmp_path: Path, executor: Ray, capsys: pytest.CaptureFixture[str]
) -> None:
    made = filled(tmp_path, "ray", executor, full_once, 9)
    assert made == filled(tmp_path, "local", Local(), rows=9)
    (first,) = (path.suffix for path in (tmp_path / "ray").glob("full.*"))
    assert first not in {path.suffix for path in (tmp_path / "ray").glob("1.*")}, "its process is another one"
    assert "a worker is lost (its memory is full: MemoryError); others go on" in capsys.readouterr().err
    with pytest.raises(AmendsError, match=r"chunk 1 .*: 3 workers were lost with it, the last one by: its memory is"):
        filled(tmp_path, "always", executor, full_always)


def test_an_error_of_a_row_is_locals_and_what_is_before_it_is_kept(tmp_path: Path, executor: Ray) -> None:
    with pytest.raises(ConfigError, match="row 5 is poison") as caught:
        filled(tmp_path, "ray", executor, poisoned)
    assert caught.value.exit_code == 2 and caught.value.problems == ["row 5 is poison"]
    kept = written(artifact_in(tmp_path, "ray.jsonl"), Verdict)
    assert [row.id for row in kept] in ([], ["0-0", "1-0"], ["0-0", "1-0", "2-1", "3-1"])


def test_rows_that_cost_several_workers_are_named(tmp_path: Path, executor: Ray) -> None:
    with pytest.raises(AmendsError, match=r"chunk 1 \(2 rows from 2 to 3\): 3 workers were lost with it"):
        filled(tmp_path, "ray", executor, killed_always)


def test_a_driver_that_is_killed_goes_on_with_the_same_bytes(tmp_path: Path, cluster: Any, executor: Ray) -> None:
    driver = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); import test_ray\n"
        "test_ray.filled(Path(sys.argv[1]), 'ray', test_ray.Ray(test_ray.RaySettings(address=sys.argv[3])),"
        " test_ray.slow, 41)"
    )
    arguments = [str(tmp_path), str(Path(__file__).parent), cluster.local]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), str(Path(__file__).parent), *sys.path])}
    part = artifact_in(tmp_path, "ray.jsonl").part
    with subprocess.Popen([sys.executable, "-c", driver, *arguments], env=environment) as process:
        while process.poll() is None and not (part.exists() and part.read_bytes()):
            time.sleep(0.02)
        process.kill()
    kept = len(written(artifact_in(tmp_path, "ray.jsonl"), Verdict))
    assert 0 < kept < 41
    assert filled(tmp_path, "ray", executor, rows=41) == filled(tmp_path, "local", Local(), rows=41)


def test_a_node_that_is_removed_takes_nothing_with_it(tmp_path: Path, cluster: Any, executor: Ray) -> None:
    def remove() -> None:
        while not (tmp_path / "ray/begun-3").exists():
            time.sleep(0.02)
        cluster.remove_node(cluster.second, allow_graceful=False)

    remover = threading.Thread(target=remove)
    remover.start()
    made = filled(tmp_path, "ray", executor, slow, 41)
    remover.join()
    assert made == filled(tmp_path, "local", Local(), rows=41)
    pids = {path.suffix for path in (tmp_path / "ray").glob("*.*")}
    assert len(pids) >= 2, "both nodes worked"
    cluster.second = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)


class Other(CutModel):
    """Another model in each process, as where nodes have files of their own."""

    @property
    def fingerprint(self) -> str:
        return str(os.getpid())


def test_models_that_differ_are_refused(tmp_path: Path, executor: Ray) -> None:
    with pytest.raises(ModelError, match=r"cut: is another one on node .*, or its files are not there; put the same"):
        executor.check([ProbeJudge("gate"), Other(str)], tmp_path)
    assert list(tmp_path.iterdir()) == []
    executor.check([ProbeJudge("gate"), CutModel(str)], tmp_path)


def test_a_directory_that_workers_do_not_see_is_refused(tmp_path: Path, executor: Ray) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(InputError, match=r"a worker does not see the run directory .*--out on a file system that"):
            executor.check([], Path(f"/proc/self/fd/{here}"))
    finally:
        os.close(here)
    assert list(tmp_path.iterdir()) == []


def test_more_workers_than_there_is_room_for_are_refused(cluster: Any) -> None:
    with pytest.raises(InputError, match="3 of 1 CPU each are wanted, and the cluster has room for 2"):
        list(Ray(RaySettings(address=cluster.local, workers=3)).run(lambda chunk, number: chunk, [(0, [1])]))
    with pytest.raises(InputError, match="no node of the cluster has 1 CPU and 2 GPUs"):
        list(Ray(RaySettings(address=cluster.local, gpus_per_worker=2)).run(lambda chunk, number: chunk, [(0, [1])]))


def test_what_is_another_version_is_named() -> None:
    assert differing(versions()) == ""
    there = versions() | {"torch": "1.0", "code of amends": ""}
    assert differing(there) == f"torch 1.0 (here {versions()['torch']}), code of amends"


def test_a_run_has_the_bytes_of_local(
    tmp_path: Path, cluster: Any, executor: Ray, tiny_settings: list[str], finished_run: Path
) -> None:
    """Mistakes, analyses, a training in between, answers with its adapter, verdicts."""
    executor.release()  # its workers have the cores
    told = (f"executor.address={cluster.local}", "executor=ray", "methods=[mistake-analysis]")
    assert run_amends("run", *tiny_settings, *told, "--out", str(tmp_path / "run")) == 0
    made, usual = (record_bytes(directory) for directory in (tmp_path / "run", finished_run))
    del made["results.json"], usual["results.json"]
    assert {"mistakes.jsonl", "mistake-analysis/adapter/adapter_model.safetensors"} <= made.keys()
    assert made.items() <= usual.items()


def test_what_cannot_be_sent_is_said(tmp_path: Path, executor: Ray) -> None:
    model = CutModel(str)
    model.connection = threading.Lock()
    with pytest.raises(InputError, match=r"a model or judge cannot be sent to workers \(.*; write its `__getstate__`"):
        executor.check([model], tmp_path)


def test_a_cluster_that_does_not_answer_is_refused_before_anything(refused: Callable[..., str]) -> None:
    config, told = str(CONFIGS / "quickstart.yaml"), ("executor=ray", "executor.address=127.0.0.1:1")
    said = refused("run", config, *TINY, *told, "--out", "run")
    assert said.startswith("executor.address: no cluster answers at 127.0.0.1:1 (")


def test_an_address_is_auto_or_a_host_with_its_port() -> None:
    with pytest.raises(ConfigError, match=r"executor\.address: name `auto`, or HOST:PORT of a cluster"):
        load_configuration(CONFIGS / "quickstart.yaml", ["executor=ray", "executor.address=ray://head:10001"])
    given = load_configuration(
        CONFIGS / "quickstart.yaml", ["executor=ray", "executor.workers=2", "executor.name=local"]
    )
    told = {"name": "local", "address": None, "workers": 2, "gpus_per_worker": None}
    assert given.executor.model_dump() == told | {"engine": None, "environment": None, "engine_options": {}}


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        InputError, match=r"Ray is not installed; pip install 'amends\[ray\]', or choose executor=local"
    ):
        Ray()
