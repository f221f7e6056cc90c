"""A training of two processes is that of one: started by amends, or by a launcher; one may be lost, and it goes on."""

import json
import os
import pickle
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from forked_followers import Forked
from torch import distributed
from torch.distributed import HashStore, TCPStore
from two_epochs import PAIRS, SAMPLES, TRAIN, same_weights

from amends.errors import InputError, TrainingError
from amends.records import Message
from amends.seeds import derive_seed
from amends.training import processes, ranks
from amends.training.fit import fit
from amends.training.micro_batches import _merged_means
from amends.training.recipe import Recipe, check_equal
from amends.training.settings import TrainSettings
from amends.training.trainers.rlhf import RlhfSettings
from conftest import run_amends
from forked import start_amends
from tiny import tiny_model
from tiny_tokenizer import tiny_tokenizer

HOW = ("--model", "model", "--samples", "samples.jsonl", "--epochs", "2", "--batch-size", "2", "--rank", "2")
COMMAND = ("train", *HOW, "--gradient-accumulation", "2", "--save-steps", "1", "--learning-rate", "0.01")


@pytest.fixture(scope="module", autouse=True)
def started() -> Iterator[list[Forked]]:
    """The followers, as they are started."""
    followers: list[Forked] = []

    def start(environment: dict[str, str]) -> Forked:
        followers.append(Forked(environment))
        return followers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "start", start)
        yield followers


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The working directory: a model, and six samples."""
    directory = tmp_path_factory.mktemp("processes")
    tiny_model(directory / "model", tokenizer=tiny_tokenizer())
    (directory / "samples.jsonl").write_text("".join(f"{sample.model_dump_json()}\n" for sample in SAMPLES))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        yield directory


@pytest.fixture(scope="module")
def two(place: Path) -> Path:
    """A training of two processes, by the command."""
    assert run_amends(*COMMAND, "--out", "two", "--processes", "2") == 0
    return place / "two"


def facts(adapter: Path) -> dict[str, Any]:
    return json.loads(adapter.with_name(f"{adapter.name}.manifest.json").read_text())["facts"]


def assert_same_training(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Up to rounding in the losses: sums have another order. How many pairs are told apart hangs on ties at first."""
    curves = [[found.pop(name, []) for name in ("log", "reward_log")] for found in (one, other)]
    assert one == other
    for curve, same in zip(*curves, strict=True):
        assert len(curve) == len(same)
        for point, there in zip(curve, same, strict=True):
            assert there.keys() == point.keys()
            assert there["loss"] == pytest.approx(point["loss"], rel=0.01)


def test_two_processes_train_as_one(two: Path, place: Path) -> None:
    """Each epoch has a whole step of four samples, and one of two."""
    assert run_amends(*COMMAND, "--out", "one") == 0
    one, other = facts(place / "one"), facts(two)
    assert (one["steps"], one["samples"]) == (4, 6)
    assert one["log"][-1]["loss"] != pytest.approx(one["log"][0]["loss"], rel=0.01), "they do learn"
    assert_same_training(one, other)


def test_a_finished_training_keeps_its_number_of_processes(
    two: Path, capsys: pytest.CaptureFixture[str], started: list[Forked]
) -> None:
    before = len(started)
    assert run_amends(*COMMAND, "--out", "two") == 0
    assert "training: finished, skipped" in capsys.readouterr().err
    assert run_amends(*COMMAND, "--out", "two", "--processes", "1") == 2
    assert "was made with other settings: processes 2 -> 1" in capsys.readouterr().err
    assert len(started) == before


def test_processes_of_a_launcher_train_alike(two: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchrun starts them, whose agent has the store. The second reads no command, writes nothing, says nothing."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    told = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": store.port}
    told |= {"TORCHELASTIC_USE_AGENT_STORE": True, "OMP_NUM_THREADS": 1, "GLOO_SOCKET_IFNAME": processes._loopback()}
    there = []
    for rank in (0, 1):
        with monkeypatch.context() as patch:
            for name, value in (told | {"RANK": rank, "LOCAL_RANK": rank}).items():
                patch.setenv(name, str(value))
            printed, said = place / f"printed {rank}", place / f"said {rank}"
            there.append(start_amends(*COMMAND, "--out", "launched", printed=printed, said=said))
    for process in there:
        process.join()
    assert [process.exitcode for process in there] == [0, 0], (place / "said 0").read_text()
    assert (place / "printed 1").read_text() == (place / "said 1").read_text() == ""
    assert same_weights(place / "launched", two)
    assert facts(place / "launched") == facts(two)


def test_a_training_that_loses_a_process_goes_on_to_the_same_bytes(
    two: Path, started: list[Forked], tmp_path: Path
) -> None:
    done = 0

    def lose(steps: int, _: int) -> None:
        nonlocal done
        done += steps
        if done == 3:
            started[-1].process.kill()
            started[-1].process.join()

    train = TrainSettings(epochs=2, batch_size=2, rank=2, gradient_accumulation=2, learning_rate=0.01, save_steps=1)
    recipe = Recipe("model", train, seed=derive_seed(0, "train"), processes=2)
    with pytest.raises(TrainingError, match="the same command goes on from the last one"):
        fit("sft", SAMPLES, tmp_path / "broken", recipe, "f", lose)
    assert not (tmp_path / "broken").exists()
    done = -9
    assert fit("sft", SAMPLES, tmp_path / "broken", recipe, "f", lose) == facts(two)
    assert done == -5, "two steps were kept, and two were made"
    assert same_weights(tmp_path / "broken", two)
    assert ranks.count() == 1
    assert "RANK" not in os.environ


def test_a_group_that_broke_is_not_freed_with_its_error() -> None:
    """Whoever frees it holds Python's lock, for which gloo's threads may wait: 1 of some 30 such errors never ended."""
    with pytest.raises(RuntimeError), processes._group(HashStore(), 0, 0, 1):
        group = weakref.ref(distributed.group.WORLD)
        raise RuntimeError("connection closed by peer")
    assert group() is not None and not distributed.is_initialized()


@pytest.mark.parametrize("kind", ["dpo", "rlhf"])
def test_preferences_are_shared_out_too(kind: str, place: Path, tmp_path: Path) -> None:
    own = RlhfSettings(generations=2, max_new_tokens=4)
    steps = {"dpo": 2, "rlhf": 1}[kind]
    train = TRAIN.model_copy(update={"max_steps": steps, "batch_size": 4})
    found = [
        fit(kind, PAIRS, tmp_path / str(number), Recipe(str(place / "model"), train, own=own, processes=number), "f")
        for number in (1, 2)
    ]
    if kind == "rlhf":  # answers are drawn by each process
        for one in found:
            assert len(one.pop("log")) == 1
            assert one.pop("trained_tokens") > 0
    assert_same_training(*found)


def test_verdicts_that_weigh_more_are_shared_out_too(place: Path, tmp_path: Path) -> None:
    """Three samples of a step of four are verdicts, so that one process has other weights than the other."""
    said = [Message(role="assistant", content="The response is harmful because it hurts.")]
    rows = [
        one.model_copy(update={"kind": "analysis", "completion": said} if number % 4 else {})
        for number, one in enumerate(SAMPLES[:4])
    ]
    train = TRAIN.model_copy(update={"max_steps": 6, "batch_size": 4, "verdict_weight": 20.0, "learning_rate": 0.1})
    one, two = (
        fit("sft", rows, tmp_path / str(number), Recipe(str(place / "model"), train, processes=number), "f")
        for number in (1, 2)
    )
    assert one["log"][-1]["loss"] != pytest.approx(one["log"][0]["loss"], rel=0.01), "they do learn"
    assert_same_training(one, two)


def test_means_of_pieces_are_merged_over_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch of six: two and an empty piece here, and four in the others, of which one is counted."""
    noted = {"accuracy": [0.5], "num_tokens": [7.0]}
    monkeypatch.setattr(ranks, "count", lambda: 3)
    monkeypatch.setattr(ranks, "summed", lambda numbers: [number + 4 * 0.25 for number in numbers])
    with _merged_means(SimpleNamespace(_metrics={"train": noted}), [2, 0], 6):
        noted["accuracy"] += [1.0, 0.0]
        noted["num_tokens"] = [9.0]
    assert noted == {"accuracy": [0.5, (2 * 1.0 + 4 * 0.25) / 6], "num_tokens": [9.0]}


def test_different_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    model = torch.nn.Linear(2, 2)
    check_equal(model)
    monkeypatch.setattr(ranks, "count", lambda: 2)
    monkeypatch.setattr(ranks, "of_first", lambda _: "another")
    monkeypatch.setattr(ranks, "summed", lambda numbers: numbers)
    with pytest.raises(TrainingError, match="different weights"):
        check_equal(model)


def test_a_script_that_a_launcher_started_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "launched", lambda: 2)
    with pytest.raises(InputError, match="processes=N"), processes.together(1, None, tmp_path):
        pytest.fail("it trains")


def test_a_process_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes, "start", lambda environment: Forked({}))  # it does not know where to meet
    with pytest.raises(TrainingError, match="ended"), processes.together(2, None, tmp_path):
        pytest.fail("it trains")
    assert list(tmp_path.iterdir()) == []


class Store(dict[str, str]):
    """As much of torch's as is asked of it."""

    def get(self, name: str) -> bytes:  # type: ignore[override]
        return self[name].encode()

    def set(self, name: str, value: str) -> None:
        self[name] = value


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, ""),
        (MemoryError(), "amends: process 1: the memory is full"),
        (RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:525] Connection closed by peer"), ""),
        (TrainingError("training diverged"), ""),
        (InputError("unknown trainer 'kto'"), "amends: process 1: unknown trainer 'kto'"),
        (
            FileNotFoundError(),
            "amends: process 1: job: is not there; all machines have to see the output of a training",
        ),
    ],
)
def test_what_goes_wrong_beside_the_first_alone_is_said(
    error: Exception | None,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if not isinstance(error, FileNotFoundError):
        Path("job").write_bytes(pickle.dumps("work"))

    def compute(job: str) -> None:
        assert job == "work"
        if error:
            raise error

    store = Store({"job 0": "job", "job 1": ""})
    monkeypatch.setattr(processes, "_meet", lambda: (store, 1, 2))
    monkeypatch.setattr(processes, "_group", lambda *_: nullcontext())
    monkeypatch.setattr("amends.training.fit.compute", compute)
    assert processes.follow() == (1 if error else 0)
    assert capsys.readouterr().err.strip() == said
    assert ("done 0 1" in store) == (error is None)
