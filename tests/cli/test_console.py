"""Progress on standard error."""

from types import SimpleNamespace

import pytest

from amends.progress import Guess, Numbered
from amends.reporting import console


def test_rows_that_were_kept_say_nothing_of_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with console.Console().stage("verdicts", 1000, kept=900) as progress:
        progress(800, 0)
        now[0] = 10.0
        progress(100, 0)
        now[0] = 30.0
        progress(10, 0)
    assert "verdicts: 910/1000 rows, 0.5 rows/s, 180 s left" in capsys.readouterr().err


def test_the_time_before_the_first_step_says_nothing_of_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In which a training reads its samples, of a million rows for half an hour."""
    now = [0.0]
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with console.Console().stage("training", 1000, "steps") as progress:
        now[0] = 2000.0
        progress(0, 0)
        now[0] = 2020.0
        progress(40, 0)
    assert "training: 40/1000 steps, 2.0 steps/s, 480 s left" in capsys.readouterr().err


def test_what_is_left_of_the_whole_run_is_said_with_each_step(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now[0]))
    shown = console.Console()
    shown.expect(lambda: {name: Guess("texts", 3600.0) for name in ("mistakes", "analyses")})
    assert "2 h at most" in capsys.readouterr().err
    with shown.stage("mistakes", 100) as progress:
        now[0] = 20.0
        progress(10, 0)
        now[0] = 200.0
        progress(90, 0)
    said = capsys.readouterr().err
    assert "mistakes: 10/100 rows, 0.5 rows/s, 180 s left, 6 min left in all" in said
    assert "200.0 s   100 rows, 3 min left in all" in said


def test_each_of_several_stages_says_which_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    told = Numbered(console.Console(), ["responses", "verdicts"])
    for name in ("verdicts", "elsewhere"):
        with told.stage(name, 1) as progress:
            progress(1, 0)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("2/2 verdicts ") and second.startswith("elsewhere ")
