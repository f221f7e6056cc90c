"""Steps over files: what a step is made from decides whether it is skipped, and what it took."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest

from amends.config import ComposeSettings, DataSettings, PreferenceSettings, ReviseSettings, TrainSettings
from amends.data.sources import load_instructions
from amends.errors import StoreError
from amends.inputs import identity
from amends.making import stages_for
from amends.methods import METHODS
from amends.models.local import LocalModel
from amends.models.scripted import ScriptedModel
from amends.progress import Silent
from amends.prompts import UNGUIDED, Guide, guide, template
from amends.protocols import ProgressCallback, Sampling, no_progress
from amends.records import Instruction
from amends.steps import CODE, Steps
from amends.training.recipe import Recipe


def composed(source: str, out: Path, **settings: object) -> list[str]:
    sets = {"instructions": DataSettings.model_validate({"source": source} | settings)}
    counts = Steps().compose(METHODS["sft"], sets, out, ComposeSettings())
    lines = out.read_text().splitlines()
    assert counts == {"safe": len(lines), "benign": 0}
    return lines


def test_another_split_of_a_bundled_set_is_another_set(tmp_path: Path) -> None:
    """Both splits lie in one file."""
    out = tmp_path / "samples.jsonl"
    train = composed("bundled:redteam/train", out)
    assert composed("bundled:redteam/train", out) == train
    assert set(composed("bundled:redteam/test", out)).isdisjoint(train)


def test_a_file_counts_by_its_content_and_a_hub_set_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": "p", "chosen": "c"}\n')
    (tmp_path / "b.jsonl").write_text('{"prompt": "p", "chosen": "c"}\n')
    here, moved = (DataSettings(source=str(tmp_path / name)) for name in ("a.jsonl", "b.jsonl"))
    assert identity(here) == identity(moved)
    (tmp_path / "b.jsonl").write_text('{"prompt": "q", "chosen": "c"}\n')
    assert identity(here) != identity(moved)
    assert identity(DataSettings(source="owner/a")) != identity(DataSettings(source="owner/b"))


def test_what_one_step_wrote_is_not_replaced_by_another(
    tmp_path: Path, train: Callable[[dict[str, object]], int]
) -> None:
    out = tmp_path / "adapter"
    Steps().data("instructions", DataSettings(source="bundled:redteam/test", limit=1), out)
    with pytest.raises(StoreError, match="adapter: holds instructions, which samples would replace"):
        composed("bundled:redteam/train", out)
    with pytest.raises(StoreError, match="adapter: holds instructions, which a training would replace"):
        train({})


def test_for_a_share_of_zero_nothing_is_made_or_read(tmp_path: Path) -> None:
    shares = ComposeSettings(analysis=0, benign=0)
    assert stages_for(["mistake-analysis"], shares.model_dump()) == []
    assert stages_for(["mistake-analysis-plus"], shares.model_dump()) == ["answer"]
    assert stages_for(["dpo", "mistake-analysis"], shares.model_dump()) == ["induce"]
    sets = {"instructions": DataSettings(source="bundled:redteam/train", limit=3)}
    counts = Steps().compose(METHODS["mistake-analysis"], sets, tmp_path / "samples.jsonl", shares)
    assert counts == {"safe": 3, "benign": 0, "analysis": 0}


def test_all_shares_that_a_sample_heeds_count(tmp_path: Path) -> None:
    """Chain of Hindsight's are those of safe and benign answers, too."""
    row = {"prompt": "p", "chosen": "c", "response": "r", "source": "own", "passed": True}
    lines = [json.dumps(row | {"id": str(number)}) for number in range(20)]
    (tmp_path / "mistakes.jsonl").write_text("\n".join(lines) + "\n")
    sets = {"mistakes": DataSettings(source=str(tmp_path / "mistakes.jsonl"))}
    made = [
        Steps().compose(METHODS["chain-of-hindsight"], sets, tmp_path / "samples.jsonl", ComposeSettings(safe=share))
        for share in (1, 0.5, 2)
    ]
    counts = [one["hindsight"] for one in made]
    assert counts[1] < counts[0] < counts[2] == 40


@pytest.mark.parametrize(
    "change", [{"limit": 1}, {"split": "train"}, {"columns": {"id": "x"}}, {"distinct_prompts": True}]
)
def test_which_rows_are_taken_counts(change: dict[str, object]) -> None:
    plain = {"source": "owner/a"}
    assert identity(DataSettings.model_validate(plain | change)) != identity(DataSettings.model_validate(plain))


def test_a_step_that_was_interrupted_has_no_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its first part took is not known."""
    source, out = DataSettings(source="bundled:redteam/train"), tmp_path / "rows.jsonl"
    told = Told()
    steps, timings = Steps(root=tmp_path, reporter=told), tmp_path / "timings.json"
    with monkeypatch.context() as patch:
        patch.setattr("amends.steps.load_instructions", interrupted_rows)
        patch.setattr("amends.stages.streaming.stream.__defaults__", (no_progress, 10))
        with pytest.raises(KeyboardInterrupt):
            steps.data("instructions", source, out)
        assert not timings.exists()
        patch.setattr("amends.steps.load_instructions", load_instructions)
        steps.data("instructions", source, out)
        assert "instructions" not in json.loads(timings.read_text())
    assert told.kept == [0, 20], "whole chunks, for the time that is left"
    steps.data("instructions", source.model_copy(update={"limit": 5}), out)
    assert json.loads(timings.read_text())["instructions"] >= 0


class Told(Silent):
    """Notes how many rows of each stage were there before."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def stage(self, *given: Any, kept: int = 0, **named: Any) -> AbstractContextManager[ProgressCallback]:
        self.kept.append(kept)
        return super().stage(*given, **named)


def interrupted_rows(settings: DataSettings) -> Iterator[Instruction]:
    yield from islice(load_instructions(settings), 25)
    raise KeyboardInterrupt


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, object]], int]:
    """Trains with settings by name, without any training; says how often that was until now."""
    calls = []

    def fake(kind: str, rows: object, out: Path, *_: object) -> dict[str, int]:
        calls.append(kind)
        out.mkdir(exist_ok=True)
        (out / "adapter_config.json").write_text("{}")
        return {"steps": 1}

    monkeypatch.setattr("amends.training.fit.fit", fake)
    samples = tmp_path / "samples.jsonl"
    turns = {name: [{"role": "user", "content": name}] for name in ("prompt", "completion", "rejected")}
    samples.write_text(json.dumps({"id": "a", "kind": "preference", **turns}) + "\n")

    def train(named: dict[str, object]) -> int:
        settings, preference = (
            kind.model_validate({key: value for key, value in named.items() if key in kind.model_fields})
            for kind in (TrainSettings, PreferenceSettings)
        )
        Steps().train("dpo", samples, tmp_path / "adapter", "dpo", Recipe("embedded", settings, preference))
        return len(calls)

    return train


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        ({}, 1),
        ({"save_steps": 3}, 1),
        ({"max_length": 2048}, 1),
        ({"gradient_checkpointing": True}, 1),
        ({"learning_rate": 1e-5}, 2),
        ({"kl": 0.5}, 1),
        ({"beta": 0.5}, 2),
    ],
)
def test_a_training_is_redone_for_what_its_trainer_is_told(
    change: dict[str, object], calls: int, train: Callable[[dict[str, object]], int]
) -> None:
    """Checkpoints more often, or a setting of another trainer, cost nobody the hours of a finished one."""
    assert train({}) == 1
    assert train(change) == calls


def test_an_adapter_that_was_changed_since_is_not_trained_over(
    train: Callable[[dict[str, object]], int], tmp_path: Path
) -> None:
    train({})
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"mine": 1}')
    with pytest.raises(StoreError, match="adapter: was changed after amends wrote it"):
        train({"beta": 0.5})
    assert "mine" in (tmp_path / "adapter" / "adapter_config.json").read_text()


class Says(Silent):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


class Gate:
    """Finds everything harmless."""

    def __init__(self, name: str) -> None:
        self.name = self.fingerprint = name
        self.facts = {"name": name}

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        return [0.9 for _ in pairs]

    def release(self) -> None:
        pass


@pytest.mark.parametrize(
    "changed", ["nothing", "inputs", "code", "settings", "seed", "guides", "templates", "model", "gate"]
)
def test_what_a_model_made_is_made_anew_for_everything_that_it_is_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    source, told = tmp_path / "mistakes.jsonl", Says()

    def make(named: str = "") -> None:
        mistake = {"id": "a", "prompt": f"How {named == 'inputs'}?", "response": "So.", "source": "own", "passed": True}
        source.write_text(json.dumps(mistake) + "\n")
        settings = ReviseSettings(attempts=2 if named == "settings" else 1)
        model = ScriptedModel(f"model {named == 'model'}", lambda *_: "It is kinder to ask.")
        rows, gate = DataSettings(source=str(source)), Gate(f"gate {named == 'gate'}")
        steps = Steps(seed=int(named == "seed"), reporter=told)
        steps.make("revise", rows, tmp_path / "revisions.jsonl", model, gate, settings)

    make()
    if changed == "code":
        monkeypatch.setitem(CODE, "make", -1)
    if changed == "guides":
        monkeypatch.setattr("amends.making.PLAIN", guide("respond", "reminder"))
    if changed == "templates":
        monkeypatch.setattr("amends.steps.template", lambda name: f"{template(name)} Please.")
    make(changed)
    finished = "revisions: finished, skipped"
    assert told.said == [finished if changed == "nothing" else f"revisions: made anew, since its {changed} changed"]


@pytest.mark.parametrize("changed", ["nothing", "inputs", "code", "judge"])
def test_verdicts_are_redone_for_everything_that_they_depend_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    source, told = tmp_path / "responses.jsonl", Says()

    def judge(named: str = "") -> None:
        row = {"id": "a", "prompt": "Why?", "response": f"So {named == 'inputs'}.", "finished": True}
        source.write_text(json.dumps(row) + "\n")
        Steps(reporter=told).judge("verdicts", source, tmp_path / "verdicts.jsonl", Gate(f"one {named == 'judge'}"))

    judge()
    if changed == "code":
        monkeypatch.setitem(CODE, "judge", -1)
    judge(changed)
    finished = "verdicts: finished, skipped"
    assert told.said == [finished if changed == "nothing" else f"verdicts: made anew, since its {changed} changed"]


def test_a_training_that_reads_its_samples_many_times_over_says_so(
    train: Callable[[dict[str, object]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Silent, "say", lambda _, message: said.append(message))
    train({"max_steps": 10, "batch_size": 1})
    assert said == []
    train({"max_steps": 11, "batch_size": 1})
    assert "train.max_steps=11 reads 1 samples 11 times over" in said[-1]


def test_a_link_is_no_output_of_a_training(train: Callable[[dict[str, object]], int], tmp_path: Path) -> None:
    (tmp_path / "adapter").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="adapter: is a link"):
        train({})


def test_responses_are_redone_for_what_is_asked_and_how(tmp_path: Path) -> None:
    """A reworded judge's question, or a new guide beside the one in use, is no reason."""
    out, reminder = tmp_path / "responses.jsonl", guide("respond", "reminder")
    model = ScriptedModel("model", lambda *_: "no")

    def calls(asked: Guide, sampling: Sampling) -> int:
        prompts = DataSettings(source="bundled:redteam/test", limit=1)
        Steps().respond("responses", prompts, out, cast(LocalModel, model), asked, sampling)
        return model.calls

    assert calls(reminder, Sampling()) == 1
    assert calls(reminder, Sampling()) == 1
    assert calls(reminder, Sampling(temperature=0)) == 2
    assert calls(UNGUIDED, Sampling(temperature=0)) == 3
