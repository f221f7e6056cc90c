"""Progress on standard error."""

from types import SimpleNamespace

import pytest

from amends.cli import console


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
