"""What clusters, containers and terminals leave in the environment changes nothing, or is refused in a line."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amends.errors import InputError
from amends.training import environment
from amends.training.environment import leave_out, prepare
from amends.training.settings import TrainSettings
from amends.training.trainers.base import TRAINERS, processes_of
from amends.training.trainers.rlhf import batches
from conftest import run_amends
from tiny import tiny_model

SAMPLE = {
    "kind": "safe",
    "prompt": [{"role": "user", "content": "Schreib etwas Böses über Łódź. 😀"}],
    "completion": [{"role": "assistant", "content": "Das mache ich nicht, 不."}],
}
LAUNCHERS = {
    **{"RANK": "3", "LOCAL_RANK": "3", "MASTER_ADDR": "nowhere", "MASTER_PORT": "1", "WORLD_SIZE": "1"},
    **{"OMPI_COMM_WORLD_RANK": "2", "PMI_SIZE": "one", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"},
}
ACCELERATE = {
    **{"ACCELERATE_MIXED_PRECISION": "bf16", "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "4"},
    **{"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DYNAMO_BACKEND": "inductor"},
}
SHARDING = {"ACCELERATE_USE_FSDP": "true", "FSDP_OFFLOAD_PARAMS": "true"}
NO_HOME = {"HOME": "/dev/null", "AMENDS_CACHE": "", "PYTHONIOENCODING": "latin-1", "LOCAL_RANK": "0"}
TERMINAL = {"TERM": "", "COLUMNS": "0", "LINES": "-1", "PYTHONIOENCODING": "ascii"}
PRECISION = {"ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "NVIDIA_TF32_OVERRIDE": "1", "TERM": "no-such-terminal"}
# A process takes seconds: what does not exclude each other is tried together.
ODD = {
    "asked": LAUNCHERS | ACCELERATE | SHARDING | TERMINAL | {"PYTHONHASHSEED": "1"},
    "quiet": NO_HOME | PRECISION | {"PYTHONHASHSEED": "2"},
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("environment")
    tiny_model(directory / "model")
    rows = "".join(json.dumps({"id": str(number), **SAMPLE}) + "\n" for number in range(4))
    (directory / "samples.jsonl").write_text(rows)
    return directory


HOW = ["--max-steps", "2", "--batch-size", "2", "--model", "model", "--samples", "samples.jsonl"]


def adapter(directory: Path) -> dict[str, bytes]:
    """Its weights and its configuration."""
    return {path.name: path.read_bytes() for path in directory.glob("adapter_*")}


@pytest.fixture(scope="module")
def usual(place: Path) -> dict[str, bytes]:
    """What is trained in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        assert run_amends("train", *HOW, "--out", "usual") == 0
    return adapter(place / "usual")


@pytest.mark.parametrize("name", ODD)
def test_a_training_is_the_same_in_an_odd_environment(name: str, place: Path, usual: dict[str, bytes]) -> None:
    """And with other hash seeds, which order the sets of an adapter's configuration."""
    changes = ODD[name] | ({"TMPDIR": str(place)} if "HOME" in ODD[name] else {})
    command = [sys.executable, "-m", "amends", "train", *HOW, "--out", name]
    done = subprocess.run(
        command, cwd=place, env=os.environ | changes, capture_output=True, check=False, timeout=900, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert adapter(place / name) == usual
    assert len(usual) == 2
    _, left_out, said = done.stderr.partition("amends: left out of the environment: ")
    assert bool(left_out) == (name == "asked")
    if left_out:
        named = said.partition(";")[0].split(", ")
        flags = ("ACCELERATE_MIXED_PRECISION", "ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_FSDP")
        assert named == [*flags, "LOCAL_RANK", "OMPI_COMM_WORLD_RANK", "RANK"]


@pytest.mark.parametrize("name", environment.PROCESSES)
def test_one_of_processes_that_no_launcher_started_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("1", "0", "", "all"):
        monkeypatch.setenv(name, value)
        leave_out()
        assert name not in os.environ
    monkeypatch.setenv(name, "2")
    with pytest.raises(InputError, match=rf"torchrun or `accelerate launch` starts those \({name}=2: unset it"):
        leave_out()


def test_what_a_launcher_says_is_heeded_in_a_training_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `accelerate launch --use_fsdp` says it to the second of two."""
    told = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for name, value in (told | SHARDING | ACCELERATE).items():
        monkeypatch.setenv(name, value)
    prepare("train")
    assert (environment.launched(), environment.follows()) == (2, True)
    kept = told | SHARDING | {"ACCELERATE_USE_DEEPSPEED": "true"}
    assert {name: os.environ[name] for name in kept} == kept
    assert "ACCELERATE_MIXED_PRECISION" not in os.environ
    assert environment.sharding() == "fsdp"
    with pytest.raises(InputError, match="fsdp: weights are sharded over GPUs, and none is to be seen"):
        processes_of(TrainSettings(), TRAINERS["sft"])
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert processes_of(TrainSettings(), TRAINERS["dpo"]) == 2
    with pytest.raises(InputError, match="fsdp: rlhf does not train sharded weights; start with torchrun"):
        processes_of(TrainSettings(), TRAINERS["rlhf"])
    for command in ("run", "respond", ""):
        with pytest.raises(InputError, match=r"only `amends train` works in several .*train\.processes"):
            prepare(command)


def test_accelerate_that_started_one_of_several_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `accelerate launch --cpu --num_processes 2` leaves it."""
    alone = {"ACCELERATE_USE_CPU": "True", "ACCELERATE_MIXED_PRECISION": "no"}
    for name, value in (alone | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=r"asked for several processes, and started one.*torchrun"):
        prepare("train")
    monkeypatch.delenv("MASTER_ADDR")
    prepare("train")


@pytest.mark.parametrize("name", ["ddp", "fsdp2", "deepspeed"])
def test_accelerate_takes_the_configurations_that_are_shipped(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    found = load_config_from_file(str(Path(__file__).parents[2] / "deploy" / f"{name}.yaml"))
    asked = {"ddp": "MULTI_GPU", "fsdp2": "FSDP", "deepspeed": "DEEPSPEED"}[name]
    assert (found.distributed_type, found.num_processes, found.mixed_precision) == (asked, 8, "no")


@pytest.mark.parametrize(
    ("kind", "asked", "launched", "gpus", "found"),
    [
        ("sft", "auto", 1, 0, 1),
        ("sft", "auto", 1, 8, 8),
        ("sft", "auto", 1, 99, 12),
        ("sft", "auto", 3, 0, 3),
        ("sft", 5, 1, 0, 5),
        ("sft", 5, 1, 4, "4 GPUs are to be seen; name 4"),
        ("sft", 2, 3, 0, "2 were asked for, and the launcher started 3"),
        ("dpo", 13, 1, 0, r"among 12 processes, and not among 13; name 12"),
        ("rlhf", "auto", 1, 8, 6),
        ("rlhf", "auto", 8, 8, "among 6 processes, and not among 8; name 6"),
    ],
)
def test_how_many_processes_train(
    kind: str, asked: int | str, launched: int, gpus: int, found: int | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("amends.training.trainers.base.launched", lambda: launched)
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    train = TrainSettings(batch_size=4, gradient_accumulation=3, processes=asked)
    if isinstance(found, int):
        assert processes_of(train, TRAINERS[kind]) == found
    else:
        with pytest.raises(InputError, match=rf"^train.processes: .*{found}"):
            processes_of(train, TRAINERS[kind])


def test_rlhfs_batches_of_each_process_are_no_larger() -> None:
    """So is what it holds in memory at once."""
    found = {}
    for processes in (1, 2, 3, 6, 12):
        one = batches(TrainSettings(batch_size=4, gradient_accumulation=3), processes)
        found[processes] = tuple(one.values())
        assert processes * one["per_device_train_batch_size"] * one["gradient_accumulation_steps"] == 12
    assert found == {1: (4, 3), 2: (2, 3), 3: (4, 1), 6: (2, 1), 12: (1, 1)}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_output_lacks_is_replaced(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = {name: io.TextIOWrapper(io.BytesIO(), encoding=encoding) for name in ("stdout", "stderr")}
    for name, stream in printed.items():
        monkeypatch.setattr(sys, name, stream)
    prepare()
    from amends.cli.options import show, tables
    from amends.reporting.console import Console

    Console().say("Łódź 😀")
    tables().print("不")
    show({"text": "Łódź ä"}, True, "")
    for stream in printed.values():
        stream.flush()
    assert printed["stderr"].buffer.getvalue().endswith(b" ?\n")  # type: ignore[attr-defined]
    shown = printed["stdout"].buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    mark, _, value = shown.partition("\n")
    assert mark == "?"
    assert json.loads(value) == {"text": "Łódź ä"}, "what a program reads is whole"


def test_a_process_without_a_home_has_a_cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "AMENDS_CACHE", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)

    def nobody(_: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    with monkeypatch.context() as patch:
        patch.setattr("pwd.getpwuid", nobody)
        prepare()
    own = tmp_path / f"amends-{os.getuid()}"
    assert os.environ["HOME"] == str(own)
    assert own.stat().st_mode & 0o777 == 0o700
    assert os.environ["LOGNAME"] == "amends"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("amends.training.environment._can_write", lambda _: False)
    prepare()
    assert os.environ["HOME"] == str(tmp_path), "the hub's models in it can be read"
    assert os.environ["AMENDS_CACHE"] == str(own / "amends_cache")
    own.chmod(0o777)
    assert environment.private_directory() != own, "somebody else's could be there"


@pytest.mark.parametrize(("given", "left"), [("0", None), ("", None), ("wide", None), ("90", "90")])
def test_a_terminal_of_no_width_is_not_believed(given: str, left: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", given)
    prepare()
    assert os.environ.get("COLUMNS") == left
