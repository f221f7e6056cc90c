"""What several tests share: small finished runs, on a tiny model and on the embedded one, and no network."""

import errno
import gc
import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from local_server import Server

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # on a GPU sums have no fixed order, and many tests compare bytes
CONFIGS = Path(__file__).parent.parent / "src/amends/config/bundled"
SMALL = str(Path(__file__).parent / "small.yaml")
# Small enough for seconds, and still every stage for real: two chunks would need 256 rows, two steps make a checkpoint.
TINY = [
    "instructions.limit=6",
    "benign.limit=4",
    "suites.redteam.limit=4",
    "suites.overrefusal.limit=3",
    "suites.benign.limit=3",
    "induce.max_new_tokens=24",
    "induce.attempts=3",
    "analyze.max_new_tokens=40",
    "analyze.attempts=3",
    "respond.max_new_tokens=12",
    "train.max_steps=2",
    "train.batch_size=4",
    "train.gradient_accumulation=1",
    "train.save_steps=1",
]
# What stands behind `amends run` where the model has seconds for each row: one method less.
EMBEDDED = [SMALL, *TINY, "methods=[vanilla, mistake-analysis]"]

# A process that holds a directory.
HOLDER = """
import sys, time
from pathlib import Path
from amends.storage.locks import locked
with locked(Path(sys.argv[1]) / ".lock", Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""

LONGEST = (
    *("test_pipeline.py", "test_stages_from_python.py", "test_readme.py", "test_study.py", "test_resuming.py"),
    *("test_methods.py", "test_experiments.py"),
)


def refuse_to_sync(descriptor: int) -> None:
    """In the place of os.fsync: the device is full."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What trains for minutes comes first, so that no process is left alone with it at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """Trainers collect garbage often: what all tests share is not looked through each time (a third of a training)."""
    gc.collect()
    gc.freeze()


def run_amends(*arguments: str) -> int:
    """Runs the real entry point in this process and returns its exit code."""
    import sys

    from amends.__main__ import main

    before = sys.argv
    sys.argv = ["amends", *arguments]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture(scope="session", autouse=True)
def connections_elsewhere() -> Iterator[list[str]]:
    """Hosts, other than this machine, that were looked up or connected to: each is refused, and noted."""
    tried: list[str] = []

    def guarded(real: Callable[..., Any], place: int) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            address = arguments[place]
            host = address[0] if isinstance(address, tuple) else address
            if isinstance(host, str) and not host.startswith(("127.", "::1", "localhost", "0.0.0.0", "/")):
                tried.append(host)
                raise ConnectionRefusedError(f"{host}: tests run offline")
            return real(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, 0))
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), 1))
        yield tried


@pytest.fixture(autouse=True)
def nothing_leaves_the_machine(connections_elsewhere: list[str]) -> Iterator[None]:
    """Invariant 9, of every test: also where a library, or a thread of its, swallows the refusal."""
    tried_before = connections_elsewhere.copy()  # by a fixture that many tests share
    connections_elsewhere.clear()
    assert tried_before == []
    yield
    assert connections_elsewhere == []


@pytest.fixture(scope="session", autouse=True)
def no_device_is_waited_for() -> Iterator[None]:
    """No test pulls a plug: a process that is killed leaves what it wrote, synchronised or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The configuration of the finished run: what stands behind `amends run`, but for --out."""
    from tiny_run import settings, speaking_model

    return settings(speaking_model(tmp_path_factory.mktemp("speaking") / "model"))


@pytest.fixture(scope="session")
def finished_run(tiny_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a finished run of all steps on a tiny model. Tests that change it copy it first."""
    directory = tmp_path_factory.mktemp("run") / "tiny"
    assert run_amends("run", *tiny_settings, "--out", str(directory)) == 0
    pytest_collection_finish()  # what a run loads is shared from now on, too
    return directory


@pytest.fixture(scope="session")
def embedded_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small finished run of `quickstart`, with its own model and judges."""
    directory = tmp_path_factory.mktemp("run") / "embedded"
    assert run_amends("run", *EMBEDDED, "--out", str(directory)) == 0
    return directory


@pytest.fixture(scope="session")
def notebook(tiny_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that examples/amends.ipynb leaves behind: its cells are run in order, two steps of a tiny model."""
    from tiny_run import in_place_of_embedded

    content = json.loads((Path(__file__).parent.parent / "examples" / "amends.ipynb").read_text())
    names: dict[str, Any] = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch, in_place_of_embedded(tiny_settings):
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        patch.setenv("STEPS", "2")
        for number, cell in enumerate(content["cells"]):
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
        names["directory"] = Path.cwd()
    return names


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    """Starts OpenAI-compatible servers; one that fails is soon asked once more."""
    monkeypatch.setattr("amends.models.endpoint.failures.PATIENCE_SECONDS", 10)  # as on a busy machine
    monkeypatch.setattr("amends.models.endpoint.failures.PAUSE_SECONDS", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    started: list[Server] = []

    def start(answer: Callable[[str, dict[str, Any]], tuple[int, str]]) -> Server:
        started.append(Server(answer))
        return started[-1]

    yield start
    for one in started:
        one.server.shutdown()
        one.server.server_close()


@pytest.fixture
def no_model_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong is said at once, not after minutes."""
    for module in ("amends.models.hf", "amends.judges.probe", "amends.training.recipe"):
        monkeypatch.setattr(f"{module}.load_model", lambda *_, **__: pytest.fail("a model was loaded"))


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command that has to fail; returns its message. It runs in `tmp_path`, where nothing may be written."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, exit_code: int = 2, may_write: Sequence[str] = ()) -> str:
        before = contents(tmp_path)
        code = run_amends(*arguments)
        printed = capsys.readouterr()
        assert code == exit_code, printed.err
        assert printed.out == ""
        assert "Traceback" not in printed.err
        said_before, marker, message = printed.err.partition("amends: error: ")
        assert marker, printed.err
        assert said_before == "" or may_write, "only what was done is said before"
        assert "amends: error: " not in message
        after = contents(tmp_path)
        written = {name for name in after if after[name] != before.get(name)}
        assert written <= set(may_write), "something was written"
        assert before.keys() <= after.keys(), "something was removed"
        return message.rstrip("\n")

    return run


def contents(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def record_bytes(directory: Path) -> dict[str, bytes]:
    """All that must be the same in an interrupted and in an uninterrupted run."""
    patterns = ("**/*.jsonl", "**/adapter_model.safetensors", "results.json", "**/training.json")
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for pattern in patterns
        for path in sorted(directory.glob(pattern))
    }
