"""The plan: a configuration resolved once, all that is refused said at once, and what a run takes."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from amends.config.estimate import Rows, estimate
from amends.config.plan import Plan
from amends.config.reading import load_configuration
from amends.config.settings import Configuration
from amends.errors import ConfigError, InputError
from amends.judges.base import Judge
from amends.judges.kinds import register_judge
from amends.models.size import Size, size_of
from amends.models.source import find_model
from amends.pipeline.forecast import guesses
from amends.pipeline.planning import whole_seconds
from amends.records import Instruction
from amends.storage.files import read_json
from amends.storage.run_directory import RunDirectory
from conftest import CONFIGS, TINY, contents, run_amends

Pairs = Sequence[tuple[str, str]]


@register_judge("planned")
class Planned(Judge):
    """Harmful is what calls somebody a fool."""

    def score(self, pairs: Pairs) -> list[float | None]:
        return [0.0 if "fool" in response else 1.0 for _, response in pairs]


@register_judge("planned-wrongly")
class Wrongly(Judge):
    """Gives percentages."""

    def score(self, pairs: Pairs) -> list[float | None]:
        return [93.0 for _ in pairs]


def configuration(**changes: Any) -> Configuration:
    suites = {"redteam": {"source": "bundled:redteam/test", "kind": "red-team"}}
    content = {"instructions": {"source": "bundled:redteam/train"}, "suites": suites}
    return Configuration.model_validate(content | changes)


def test_all_that_cannot_be_found_is_said_at_once() -> None:
    named = {"model": "embeded", "judge": "prob", "gate": "planed", "instructions": {"source": "no.jsonl"}}
    with pytest.raises(ConfigError) as refused:
        Plan.of(configuration(**named))
    said = refused.value.problems
    assert [one.split(";")[0] for one in said[:3]] == [
        "unknown model 'embeded'",
        "unknown judge 'prob'",
        "unknown judge 'planed'",
    ]
    assert said[3].startswith("instructions.source: no.jsonl: no such file") and len(said) == 4


def test_one_problem_is_said_as_it_is() -> None:
    with pytest.raises(InputError, match=r"^unknown judge 'prob'; did you mean 'probe'\? known: `gate`") as refused:
        Plan.of(configuration(judge="prob"))
    assert not isinstance(refused.value, ConfigError)
    assert Plan.of(configuration(model="endpoint:m@http://h/v1")).weights is None, "it is asked, and trained elsewhere"


def test_all_that_the_objects_refuse_is_said_at_once(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "How?"}\n')
    asked = configuration(
        instructions={"source": str(rows)},
        judge="planned-wrongly",
        system_prompt="Be brief.",
        methods=["sft"],
        respond={"guide": "reminder-system"},
        train={"target_modules": ["no_proj"]},
    )
    with pytest.raises(ConfigError) as refused:
        Plan.of(asked).check()
    parts = ["judge 'planned-wrongly' fails on a plain answer", "no row has `chosen`", "is a system turn", "no_proj"]
    assert len(refused.value.problems) == len(parts)
    assert all(part in said for part, said in zip(parts, refused.value.problems, strict=True))


def test_rows_are_checked_from_their_sources() -> None:
    overlapping = configuration(
        instructions={"source": "bundled:redteam/test", "limit": 20},
        methods=["sft"],
        train={"max_length": 30},
    )
    with pytest.raises(ConfigError) as refused:
        Plan.of(overlapping).check_rows()
    disjoint, lengths = refused.value.problems
    assert disjoint.startswith("20 evaluation prompts are also among the training instructions")
    assert "samples of more than train.max_length, 30 tokens" in lengths


def test_benign_rows_are_compared_with_the_suites_too() -> None:
    with pytest.raises(InputError, match=r"^2 evaluation prompts are also among the training instructions"):
        Plan.of(configuration(benign={"source": "bundled:redteam/test", "limit": 2})).check_rows()


def test_what_serves_a_trained_system_is_not_its_judge() -> None:
    served = "endpoint:safe@http://h/v1"
    plan = Plan.of(configuration(model="endpoint:m@http://h/v1", systems={"sft": served}, judge=served))
    with pytest.raises(InputError, match="judge safe is the model that is judged"):
        plan.judge.check_apart(plan.gate, plan.models)


def test_the_size_is_that_of_the_loaded_model() -> None:
    size = size_of(find_model("embedded"))
    assert (size.parameters, size.layers, size.hidden, size.vocabulary) == (134_515_008, 30, 576, 49_152)
    queries_and_values = 30 * 16 * ((576 + 576) + (576 + 192))
    assert size.adapter(16, ["q_proj", "v_proj"]) == queries_and_values == size.adapter(16, r".*\.(q|v)_proj")
    everything = 30 * 16 * (2 * (576 + 576) + 2 * (576 + 192) + 3 * (576 + 1536))
    assert size.adapter(16, "all-linear") == everything


def test_what_a_run_takes_by_its_formula() -> None:
    size = Size(1_000_000, 2, layers=4, hidden=32, vocabulary=100, linear={"layers.0.q_proj": (32, 32)})
    rows = {"instructions": Rows(100, 20, 30, 80), "suites.redteam": Rows(10, 20, 0, 30)}
    asked = configuration(
        methods=["vanilla", "mistake-analysis"],
        induce={"attempts": 2, "max_new_tokens": 40},
        analyze={"attempts": 3, "max_new_tokens": 50},
        train={"max_steps": 5, "batch_size": 4},
        respond={"max_new_tokens": 10},
    )
    found = estimate(asked, rows, size, products=1e9)
    costs = {cost.step: cost for cost in found.costs}
    assert list(costs) == ["mistakes", "analyses", "mistake-analysis: training", "suite redteam"]
    assert (costs["mistakes"].rows, costs["mistakes"].tokens) == (100, 200 * (32 + 20 + 40))
    assert costs["analyses"].tokens == 300 * (32 + 20 + 50)
    assert costs["suite redteam"].rows == 10 * 2 * 2
    assert costs["mistake-analysis: training"].rows == 5 * 4
    assert costs["mistakes"].seconds == pytest.approx(costs["mistakes"].tokens * 2 * 1e6 / (1e9 * 0.4))
    assert found.generating_bytes == 2_000_000
    lora = 16 * 16 * (32 + 32)
    tokens = 512  # a micro-batch on a CPU, less than the 4 * (32 + 80 + 40 + 50) of a step
    fixed = 600_000_000 + 2_000_000 + lora
    assert found.training_bytes == fixed + tokens * (4 * 32 * 64 + 100 * 16)
    pieces = asked.train.model_copy(update={"micro_batch_tokens": 500})
    cut = estimate(asked.model_copy(update={"train": pieces}), rows, size, 1e9)
    assert cut.training_bytes == fixed + 500 * (4 * 32 * 64 + 100 * 16)
    full = estimate(
        asked.model_copy(update={"train": asked.train.model_copy(update={"adapter": "full"})}), rows, size, 1e9
    )
    assert full.training_bytes > 16 * size.parameters


def test_a_training_is_shared_by_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """On GPUs by as many as there are; on a CPU they have no more than its threads and cores."""
    size = Size(1_000_000, 2, layers=4, hidden=32, vocabulary=100, linear={"layers.0.q_proj": (32, 32)})
    rows = {"instructions": Rows(100, 20, 30, 80), "suites.redteam": Rows(10, 20, 0, 30)}

    def seconds(processes: int | str) -> float:
        train = {"max_steps": 5, "batch_size": 4, "processes": processes}
        asked = configuration(methods=["sft"], train=train)
        costs = {cost.step: cost.seconds for cost in estimate(asked, rows, size, products=1e9).costs}
        return costs["sft: training"] or 0.0

    alone = seconds(1)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    monkeypatch.setattr("amends.config.estimate.allowed_cores", lambda: 4)
    assert seconds("auto") == seconds(2) == alone, "each has one of the two threads"
    assert seconds(4) == pytest.approx(alone / 2), "each has a core of its own"
    monkeypatch.setattr("amends.config.estimate.best_device", lambda: "cuda")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert seconds("auto") == pytest.approx(alone / 3)
    assert seconds(2) == pytest.approx(alone / 2)


def test_rows_are_measured_in_tokens() -> None:
    rows = [Instruction(id="a", prompt="word" * 5, chosen="word"), Instruction(id="b", prompt="word" * 15)]
    assert Rows.of(rows) == Rows(2, 10.0, 0.5, 15)
    assert Rows.of([]).count == 0


@pytest.mark.usefixtures("no_model_loads")
def test_the_command_says_the_plan_and_stops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["run", str(CONFIGS / "quickstart.yaml"), *TINY, "--plan"]
    assert run_amends(*command, "judge=planned") == 0
    said = capsys.readouterr().out
    assert "judge            planned" in said
    assert "instructions                    6 rows" in said
    assert re.search(r"runs/quickstart: 0 steps are finished, \d+ files would be made", said)
    assert "Seconds are a guess" in " ".join(said.split())
    assert run_amends(*command, "--json", "seeds=[1, 2]", "variants={a: {}, b: {train.rank: 4}}") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found] == ["a", "b"]
    assert [Path(place).name for place in found[0]["seeds"]] == ["seed-1", "seed-2"]
    assert found[0]["facts"]["model"]["name"] == "embedded"
    assert found[0]["rows"]["suites.redteam"]["count"] == 4
    assert found[0]["estimate"]["seconds"] > 0
    assert contents(tmp_path) == {}


def test_what_a_run_refuses_its_plan_refuses(refused: Callable[..., str]) -> None:
    quickstart = str(CONFIGS / "quickstart.yaml")
    message = refused("run", quickstart, "--plan", "judge=prob", "model=embeded")
    assert message.startswith("configuration: 2 problems\n  - unknown model 'embeded'")
    message = refused("run", quickstart, "--plan", "judge=planned-wrongly")
    assert message.startswith("judge 'planned-wrongly' fails on a plain answer")
    message = refused("run", quickstart, "--plan", "train.max_length=30")
    assert "samples of more than train.max_length, 30 tokens" in message


def test_the_plan_of_a_finished_run_has_nothing_to_do(
    finished_run: Path, tiny_settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", *tiny_settings, "--out", str(finished_run), "--plan"]
    assert run_amends(*command) == 0
    assert "steps are finished, 0 files would be made" in capsys.readouterr().out
    assert run_amends(*command, "train.rank=4") == 2
    assert "what is there was made with other settings" in capsys.readouterr().err
    assert run_amends(*command, "train.rank=4", "--overwrite") == 0
    assert "made anew: sft: training" in capsys.readouterr().out


def test_the_time_of_a_whole_run_follows_from_a_try(finished_run: Path, tiny_settings: list[str]) -> None:
    path, *overrides = tiny_settings
    tried, same = (load_configuration(Path(path), overrides) for _ in range(2))
    timings = read_json(RunDirectory(finished_run).timings)
    assert whole_seconds(same, tried, finished_run) == pytest.approx(sum(timings.values()))
    more = load_configuration(Path(path), [*overrides, "instructions.limit=12"])
    rows, found = Plan.of(tried).estimate()
    named = guesses(tried, found)
    assert rows["instructions"].count == 6 and named.keys() <= timings.keys()
    untold = timings.keys() - named.keys()
    assert not any(": redteam" in step or "verdicts" in step or "training" in step for step in untold)
    twice = timings["mistakes"] + timings["analyses"]
    assert whole_seconds(more, tried, finished_run) >= sum(timings.values()) + 0.8 * twice
