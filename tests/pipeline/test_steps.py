"""Steps over files: what a step is made from decides whether it is skipped, and what it took."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from amends.config.methods import METHODS, stages_for
from amends.data.identity import identity
from amends.data.settings import DataSettings
from amends.errors import StoreError
from amends.pipeline.steps import Steps
from amends.progress import ProgressCallback, Silent
from amends.training.compose import ComposeSettings
from amends.training.preference import PreferenceSettings
from amends.training.recipe import Recipe
from amends.training.settings import TrainSettings


def composed(source: str, out: Path, overwrite: bool = False) -> list[str]:
    sets = {"instructions": DataSettings(source=source)}
    counts = Steps(overwrite=overwrite).compose(METHODS["sft"], sets, out, ComposeSettings())
    lines = out.read_text().splitlines()
    assert counts == {"safe": len(lines), "benign": 0}
    return lines


def test_another_split_of_a_bundled_set_is_another_set(tmp_path: Path) -> None:
    """Both splits lie in one file."""
    out = tmp_path / "samples.jsonl"
    train = composed("bundled:redteam/train", out)
    assert composed("bundled:redteam/train", out) == train
    with pytest.raises(
        StoreError, match=r"instructions bundled:redteam/train -> bundled:redteam/test\..* add --overwrite"
    ):
        composed("bundled:redteam/test", out)
    assert set(composed("bundled:redteam/test", out, overwrite=True)).isdisjoint(train)


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
    own = dict.fromkeys(("contrast", "verdict", "reply", "chain"), 0.0)
    assert stages_for(["mistake-analysis-plus"], shares.model_dump() | own) == ["answer"]
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
        Steps().compose(METHODS["chain-of-hindsight"], sets, tmp_path / f"{share}.jsonl", ComposeSettings(safe=share))
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


class Told(Silent):
    """Notes how many rows of each stage were there before, and interrupts a stage, as by Ctrl-C, after so many."""

    def __init__(self, until: float = float("inf")) -> None:
        self.kept: list[int] = []
        self.until = until

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str = "rows", kept: int = 0) -> Iterator[ProgressCallback]:
        self.kept.append(kept)
        done = 0

        def progress(rows: int, tokens: int) -> None:
            nonlocal done
            done += rows
            if done > self.until:
                raise KeyboardInterrupt

        yield progress


def many(directory: Path, count: int) -> DataSettings:
    rows = ({"id": str(number), "prompt": f"Why {number}?", "chosen": "So."} for number in range(count))
    (directory / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DataSettings(source=str(directory / "rows.jsonl"))


def test_a_step_that_was_interrupted_has_no_seconds(tmp_path: Path) -> None:
    """What its first part took is not known."""
    source, out = many(tmp_path, 600), tmp_path / "copy.jsonl"
    told = Told(until=520)
    steps, timings = Steps(root=tmp_path, reporter=told), tmp_path / "timings.json"
    with pytest.raises(KeyboardInterrupt):
        steps.data("instructions", source, out)
    assert not timings.exists()
    told.until = float("inf")
    steps.data("instructions", source, out)
    assert "instructions" not in json.loads(timings.read_text())
    assert told.kept == [0, 512], "whole chunks, for the time that is left"
    steps.overwrite = True
    steps.data("instructions", source.model_copy(update={"limit": 5}), out)
    assert json.loads(timings.read_text())["instructions"] >= 0


def test_an_interrupted_composition_ends_with_the_same_bytes_and_counts(tmp_path: Path) -> None:
    sets = {"instructions": many(tmp_path, 600)}
    Steps().compose(METHODS["sft"], sets, tmp_path / "whole.jsonl", ComposeSettings())
    out, told = tmp_path / "samples.jsonl", Told(until=300)
    with pytest.raises(KeyboardInterrupt):
        Steps(reporter=told).compose(METHODS["sft"], sets, out, ComposeSettings())
    told.until = float("inf")
    counts = Steps(reporter=told).compose(METHODS["sft"], sets, out, ComposeSettings())
    assert told.kept == [0, 256]
    assert counts == {"safe": 600, "benign": 0}, "rows that were kept are counted too"
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


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
        seed = int(str(named.get("seed", 0)))
        steps = Steps(seed, overwrite=bool(named.get("overwrite")))
        steps.train("dpo", samples, tmp_path / "adapter", "dpo", Recipe("embedded", settings, preference, seed))
        return len(calls)

    return train


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        ({}, 1),
        ({"save_steps": 3}, 1),
        ({"max_length": 2048}, 1),
        ({"gradient_checkpointing": True}, 1),
        ({"quantization": "4bit"}, 2),
        ({"learning_rate": 1e-5}, 2),
        ({"kl": 0.5}, 1),
        ({"beta": 0.5}, 2),
        ({"seed": 7}, 2),
    ],
)
def test_a_training_is_redone_for_what_its_trainer_is_told(
    change: dict[str, object], calls: int, train: Callable[[dict[str, object]], int]
) -> None:
    """Checkpoints more often, or a setting of another trainer, cost nobody the hours of a finished one."""
    assert train({}) == 1
    for key, value in change.items() if calls > 1 else ():
        with pytest.raises(
            StoreError, match=rf"adapter: was made with other settings: {key} .* -> {value}\. .*--overwrite"
        ):
            train(change)
    assert train(change | {"overwrite": True}) == calls


def test_an_adapter_that_was_changed_since_is_not_trained_over(
    train: Callable[[dict[str, object]], int], tmp_path: Path
) -> None:
    train({})
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"mine": 1}')
    with pytest.raises(StoreError, match=r"adapter_config\.json: was damaged, or edited, after amends wrote it"):
        train({"beta": 0.5})
    assert "mine" in (tmp_path / "adapter" / "adapter_config.json").read_text()


def test_a_training_that_reads_its_samples_many_times_over_says_so(
    train: Callable[[dict[str, object]], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Silent, "say", lambda _, message: said.append(message))
    train({"max_steps": 10, "batch_size": 1})
    assert said == []
    train({"max_steps": 11, "batch_size": 1, "overwrite": True})
    assert "train.max_steps=11 reads 1 samples 11 times over" in said[-1]


def test_a_link_is_no_output_of_a_training(train: Callable[[dict[str, object]], int], tmp_path: Path) -> None:
    (tmp_path / "adapter").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="adapter: is a link"):
        train({})
