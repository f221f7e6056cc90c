"""Judges by name: what is registered, by Python and by other packages, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import amends
from amends.errors import InputError
from amends.judges.base import Judge
from amends.judges.kinds import JUDGES, JudgeKind, register_judge
from amends.judges.load import load_judge, load_preference_judge
from conftest import run_amends

Pairs = Sequence[tuple[str, str]]
PLUGIN = """
from amends import Judge

class Loud(Judge):
    def score(self, pairs):
        return [0.0 if response.isupper() else 1.0 for _, response in pairs]
"""


@register_judge("by-fool")
class ByFool(Judge):
    """Harmful is what calls somebody a fool."""

    def score(self, pairs: Pairs) -> list[float | None]:
        return [0.0 if "fool" in response else 1.0 for _, response in pairs]


@register_judge("by-word")
class ByWord(Judge):
    """Harmful is what has a certain word in it."""

    def __init__(self, word: str) -> None:
        self.word = word

    def score(self, pairs: Pairs) -> list[float | None]:
        return [0.0 if self.word in response else 1.0 for _, response in pairs]


@register_judge("by-length")
def by_length(limit: str = "80") -> Judge:
    """Harmful is what is long."""

    class Short(Judge):
        def score(self, pairs: Pairs) -> list[float | None]:
            return [float(len(response) < int(limit)) for _, response in pairs]

    return Short()


@register_judge("no-judge")
class NoJudge:
    """Scores, and is not derived from Judge."""


@register_judge("never")
def never() -> Judge:
    """Cannot be made."""
    raise RuntimeError("no licence")


def write_responses(path: Path, *texts: str) -> Path:
    rows = [{"id": str(number), "prompt": "May I?", "response": text} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_command_takes_a_judge_that_was_registered(tmp_path: Path) -> None:
    responses = write_responses(tmp_path / "r.jsonl", "You are a worthless fool.", "Gladly.", "")
    verdicts = tmp_path / "v.jsonl"
    command = ["judge", "--responses", str(responses), "--judge", "by-fool", "--out", str(verdicts)]
    assert run_amends(*command) == 0
    found = [json.loads(line) for line in verdicts.read_text().splitlines()]
    assert [(row["verdict"], row["score"]) for row in found] == [("harmful", 0.0), ("harmless", 1.0), ("harmless", 1.0)]
    assert json.loads((tmp_path / "v.jsonl.manifest.json").read_text())["settings"]["judge"]["judge"] == "by-fool"


def test_arguments_go_where_there_is_a_place_for_them() -> None:
    assert load_judge("by-word:egg").score([("", "an egg"), ("", "a hen")]) == [0.0, 1.0]
    assert load_judge("by-word:egg").name == "by-word:egg"
    assert load_judge("by-word:egg").fingerprint != load_judge("by-word:hen").fingerprint
    assert load_judge("by-length").score([("", "a" * 60)]) == [1.0]
    assert load_judge("by-length:40").score([("", "a" * 60)]) == [0.0]
    assert [JUDGES[name].form for name in ("by-fool", "by-word", "by-length")] == [
        "`by-fool`",
        "by-word:WORD",
        "by-length[:LIMIT]",
    ]
    assert JUDGES["by-word"].what == "Harmful is what has a certain word in it."


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("by-fool:three", "judge 'by-fool:three': by-fool takes no argument; write it as `by-fool`"),
        ("by-word", "judge 'by-word': is not whole; write it as by-word:WORD"),
        ("by-word:", "judge 'by-word:': is not whole; write it as by-word:WORD"),
        ("by-fol", "unknown judge 'by-fol'.*did you mean 'by-fool'.*To add one: @amends.register_judge"),
        ("no-judge", "'no-judge' makes a NoJudge, which is no amends Judge; derive it"),
        ("never", r"'never' cannot be made \(RuntimeError: no licence\)"),
        ("endpont:m@http://me:secret@h/v1", r"unknown judge 'endpont:\.\.\.'"),
    ],
)
def test_names_that_are_of_no_judge(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        load_judge(name)
    assert "secret" not in str(refused.value)


def test_what_amends_brings_cannot_be_replaced_unnoticed() -> None:
    with pytest.raises(InputError, match="two judges are named 'probe'"):
        register_judge("probe")(ByFool)
    with pytest.raises(InputError, match="is no class or function that makes a judge"):
        JUDGES.register("three", 3)


def test_who_can_compare_two_responses() -> None:
    with pytest.raises(InputError, match=r"'by-fool' cannot compare two responses; name endpoint:MODEL@URL or local:"):
        load_preference_judge("by-fool")
    assert isinstance(JUDGES["local"], JudgeKind)


def test_plugins_of_other_packages_and_one_that_fails_to_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable[..., str]
) -> None:
    """In a process of its own: entry points are read once."""
    (tmp_path / "loud_judge.py").write_text(PLUGIN)
    (tmp_path / "broken_judge.py").write_text("import no_such_library\n")
    facts = tmp_path / "loud-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n")
    points = "[amends.judges]\nloud = loud_judge:Loud\nbroken = broken_judge:Broken\n"
    (facts / "entry_points.txt").write_text(points)
    responses = write_responses(tmp_path / "r.jsonl", "GO AWAY!", "Gladly.")

    def run(judge: str) -> subprocess.CompletedProcess[str]:
        path = [str(tmp_path), *filter(None, sys.path)]
        command = [sys.executable, "-m", "amends", "judge", "--responses", str(responses), "--judge", judge]
        environment = {"PYTHONPATH": ":".join(path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        command += ["--out", str(tmp_path / f"{judge}.jsonl")]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    done = run("loud")
    assert done.returncode == 0, done.stderr
    assert "1 harmless, 1 harmful" in done.stdout
    assert "judge 'broken' is left out: broken_judge:Broken (of the package loud) fails to load" in done.stderr
    done = run("broken")
    assert done.returncode == 2
    assert "amends: error: judge 'broken' cannot be used: broken_judge:Broken (of the package loud)" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_and_words_load_no_heavy_library() -> None:
    code = (
        "import sys, amends\n"
        "from amends.judges.kinds import JUDGES\n"
        "from amends.models.kinds import MODELS\n"
        "print(JUDGES.written(), MODELS.written())\n"
        "print([name for name in ('torch', 'transformers', 'openai', 'numpy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    forms, heavy = done.stdout.splitlines()
    assert heavy == "[]"
    assert forms.startswith(
        "`gate`, `open-gate`, `open-reader`, `probe`, `reader`, the path of a probe file, classifier:FILE, endpoint:"
    )


def test_the_public_names_are_there() -> None:
    assert amends.Judge is Judge
    assert amends.register_judge("by-name")(ByFool) is ByFool
    with pytest.raises(AttributeError, match="has no attribute 'judges_of_all'"):
        amends.judges_of_all  # noqa: B018
