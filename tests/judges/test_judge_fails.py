"""A judge of a user's own that fails in the middle of its work: one error that names the row, and nothing is lost."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import amends
from amends.errors import InputError, JudgeError
from amends.judges.base import Judge
from amends.judges.kinds import JUDGES
from amends.judges.rows import score_rows
from conftest import run_amends

Pairs = Sequence[tuple[str, str]]
LEFT = "Answer 5"


class Moody(Judge):
    """Fails at one row until a file is there: as where it stands on something that was away."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    @property
    def capacity(self) -> int:
        return 2

    def score(self, pairs: Pairs) -> list[float | None]:
        if not self.path.exists() and any(LEFT in response for _, response in pairs):
            raise KeyError("label of it")
        return [0.75] * len(pairs)


class Loose(Judge):
    """Gives what is no probability to one row."""

    def score(self, pairs: Pairs) -> list[float | None]:
        return [7.5 if LEFT in response else 0.75 for _, response in pairs]


class Short(Judge):
    """Gives too few scores to several rows."""

    def score(self, pairs: Pairs) -> list[float | None]:
        return [0.75]


class Broken(Judge):
    """Fails on everything."""

    def score(self, pairs: Pairs) -> list[float | None]:
        raise RuntimeError("no licence")


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    kinds = {"moody": Moody, "loose": Loose, "short": Short, "broken": Broken}
    for name, kind in kinds.items():
        amends.register_judge(name)(kind)
    yield
    for name in kinds:
        JUDGES.remove(name)


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    path = tmp_path / "responses.jsonl"
    rows = [{"id": f"r{n}", "prompt": "How?", "response": f"Answer {n}."} for n in range(7)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_before_the_failure_are_kept_and_gone_on_from(
    tmp_path: Path, responses: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there, out, whole = tmp_path / "there", tmp_path / "v.jsonl", tmp_path / "whole.jsonl"
    command = ("judge", "--responses", str(responses), "--judge", f"moody:{there}", "--out")
    assert run_amends(*command, str(out)) == 1
    said = capsys.readouterr().err
    assert (
        f"amends: error: judge 'moody:{there}' fails on row 'r5' (KeyError: 'label of it'); 4 rows are finished: the "
        "same command goes on from there"
    ) in said
    assert "Traceback" not in said
    kept = (tmp_path / "v.jsonl.part").read_bytes()
    assert kept.count(b"\n") == 4 and not out.exists()
    there.touch()
    assert run_amends(*command, str(out)) == run_amends(*command, str(whole)) == 0
    assert out.read_bytes() == whole.read_bytes()
    assert out.read_bytes().startswith(kept)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("loose", r"judge 'loose' fails on row 'r5' \(ValueError: 7.5 is no probability from 0 to 1\); no row is"),
        ("short", r"judge 'short' fails on rows 'r0' to 'r6' \(ValueError: it gives 1 scores for 7 answers\)"),
    ],
)
def test_what_is_no_score_is_refused_by_its_row(
    tmp_path: Path, responses: Path, capsys: pytest.CaptureFixture[str], name: str, said: str
) -> None:
    assert run_amends("judge", "--responses", str(responses), "--judge", name, "--out", str(tmp_path / "v.jsonl")) == 1
    assert re.search(said, capsys.readouterr().err)
    assert [path.name for path in tmp_path.iterdir()] == ["responses.jsonl"]


def test_a_judge_that_fails_on_anything_is_refused_before_anything_is_written(
    tmp_path: Path, responses: Path, refused: Callable[..., str]
) -> None:
    out = str(tmp_path / "v.jsonl")
    said = "judge 'broken' fails on a plain answer (RuntimeError: no licence)"
    assert said in refused("judge", "--responses", str(responses), "--judge", "broken", "--out", out)
    stage = ("induce", "--instructions", "bundled:redteam/train", "--limit", "3", "--gate", "broken", "--out", out)
    assert said in refused(*stage)
    assert [path.name for path in tmp_path.iterdir()] == ["responses.jsonl"]


def test_the_same_in_memory(tmp_path: Path, responses: Path) -> None:
    with pytest.raises(InputError, match="judge 'broken' fails on a plain answer"):
        amends.judge(str(responses), "broken", progress=False)
    with pytest.raises(JudgeError, match=r"fails on row 'r5' \(KeyError: 'label of it'\)$"):
        amends.judge(str(responses), f"moody:{tmp_path / 'there'}", progress=False)


def test_an_error_of_amends_own_is_left_as_it_is() -> None:
    class Refusing(Judge):
        name = "refusing"

        def score(self, pairs: Pairs) -> list[float | None]:
            raise InputError("as it is")

    with pytest.raises(InputError, match=r"^as it is$"):
        score_rows(Refusing(), ["a"], [("p", "r")])
    assert score_rows(Refusing(), [], []) == []
