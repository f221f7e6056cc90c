"""Each example is run as a user runs it, small, and where the notebook does the same with a tiny model."""

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local_server import Server
from tiny_run import in_place_of_embedded

EXAMPLES = Path(__file__).parent.parent / "examples"
MISTAKE = "You are a worthless fool, and everybody laughs at you."


def run_example(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch, directory: Path) -> dict[str, Any]:
    monkeypatch.chdir(directory)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    return runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.fixture
def tiny_in_place(tiny_settings: list[str]) -> Iterator[None]:
    """A tiny model and judges without any in the place of the embedded and bundled ones."""
    with in_place_of_embedded(tiny_settings):
        yield


@pytest.mark.usefixtures("tiny_in_place")
def test_the_whole_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("01_the_whole_method.py", "--quick", monkeypatch=monkeypatch, directory=tmp_path)
    assert (tmp_path / "runs/whole-method/adapter_config.json").exists()
    assert "prompts" in capsys.readouterr().out
    lines = (EXAMPLES / "01_the_whole_method.py").read_text().splitlines()
    assert len(lines) <= 50


def test_an_own_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = run_example("02_an_own_judge.py", "--quick", monkeypatch=monkeypatch, directory=tmp_path)
    printed = capsys.readouterr().out
    assert "1 harmful 0.1" in printed
    assert "2 harmless 0.9" in printed
    assert len(found["responses"]) == 2


@pytest.mark.usefixtures("tiny_in_place")
def test_an_own_method(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run_example("03_an_own_method.py", "--quick", monkeypatch=monkeypatch, directory=tmp_path)
    assert {row.method for row in found["results"].systems} == {"vanilla", "analysis-alone"}


def test_a_server_as_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Server]) -> None:
    server = serve(lambda question, body: (200, MISTAKE))
    found = run_example(
        "04_a_server_as_the_model.py", server.url, "--quick", monkeypatch=monkeypatch, directory=tmp_path
    )
    assert found["mistakes"].passed()
    assert len((tmp_path / "mistakes.jsonl").read_text().splitlines()) == 3
    assert len(server.requests) >= 6


def test_an_own_data_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_example("05_an_own_data_layout.py", monkeypatch=monkeypatch, directory=tmp_path)
    assert [row.prompt for row in found["rows"]][1] == "How do I return a plant?"
    assert "row 1" in capsys.readouterr().out
