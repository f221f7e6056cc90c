"""Whose a run directory is, and that a run that fails leaves no model loaded."""

import gc
import weakref
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import amends
from amends.config.plan import Plan
from amends.config.reading import load_configuration
from amends.config.settings import Configuration
from amends.config.training_data import TrainingData
from amends.errors import InputError, StoreError
from amends.evaluation.respond import RespondSettings
from amends.judges.guard import GuardJudge
from amends.judges.language_model import LanguageModelJudge
from amends.judges.load import JUDGES, load_judge
from amends.models.loading import find_model, load_tokenizer
from amends.pipeline.run import Run
from amends.prompts import english
from amends.records import Instruction, messages_of
from amends.stages.induce import InduceSettings
from amends.storage.files import write_json
from amends.storage.run_directory import RunDirectory
from amends.training.tokenize import tokenize_turns
from conversations import turns


def configuration(source: Path) -> Configuration:
    suites = {"redteam": {"source": "bundled:redteam/test", "kind": "red-team"}}
    return Configuration.model_validate({"instructions": {"source": str(source)}, "suites": suites})


def test_a_run_directory_stays_its_runs_when_the_data_moves(tmp_path: Path) -> None:
    here, there, other = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    here.write_text('{"prompt": "p", "chosen": "c"}\n')
    write_json(tmp_path / "run.json", configuration(here).run_facts())
    here.rename(there)
    RunDirectory(tmp_path).refuse_foreign(configuration(there).run_facts())
    other.write_text('{"prompt": "q", "chosen": "c"}\n')
    with pytest.raises(StoreError, match="its instructions differ"):
        RunDirectory(tmp_path).refuse_foreign(configuration(other).run_facts())


def test_a_run_directory_stays_its_runs_when_rows_are_added(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "p", "chosen": "c"}\n')
    write_json(tmp_path / "run.json", configuration(source).run_facts())
    source.write_text('{"prompt": "p", "chosen": "c"}\n{"prompt": "q", "chosen": "c"}\n')
    RunDirectory(tmp_path).refuse_foreign(configuration(source).run_facts())


def test_a_directory_with_somebody_elses_results_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "p", "chosen": "c"}\n')
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(StoreError, match=r"report\.html: is there, and no run of amends wrote it"):
        RunDirectory(tmp_path).refuse_foreign(configuration(source).run_facts())


def test_one_model_is_not_judge_and_gate_under_two_names() -> None:
    judge = load_judge("endpoint:m@http://h/v1")
    with pytest.raises(InputError, match="judge and gate are the same"):
        judge.check_apart(load_judge("endpoint:m@http://h/v1/"), [])
    assert isinstance(judge, LanguageModelJudge)
    guard = GuardJudge("google/shieldgemma-2b")
    guard.asks = guard.model = judge.model
    with pytest.raises(InputError, match="judge and gate both ask m"):
        guard.check_apart(judge, [])


def test_a_reminder_does_not_take_the_place_of_the_deployments_system_prompt(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "Hello?", "chosen": "Hi."}\n')
    update = {"system_prompt": "Be brief.", "respond": RespondSettings(guide="reminder-system")}
    asked = configuration(rows).model_copy(update=update)
    with pytest.raises(InputError, match="'reminder-system' is a system turn, and system_prompt"):
        Plan.of(asked).check()


def test_models_are_freed_when_a_run_fails(tiny_settings: list[str], tmp_path: Path) -> None:
    """Other variants follow in the same process."""
    loaded: list[weakref.ref[Any]] = []

    class Interrupted(amends.Judge):
        name = "interrupted/evaluation"

        def score(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
            if len(pairs) == 1:
                return [0.9]  # as it is asked before all else
            loaded.append(weakref.ref(run.plan.base.model))
            raise KeyboardInterrupt

    amends.register_judge("interrupted")(Interrupted)
    settings = [*tiny_settings[1:], "methods=[vanilla]", "judge=interrupted"]
    run = Run(load_configuration(Path(tiny_settings[0]), settings), tmp_path / "run")
    try:
        with pytest.raises(KeyboardInterrupt):
            run.run()
    finally:
        JUDGES.remove("interrupted")
    gc.collect()
    assert [reference() for reference in loaded] == [None]


@pytest.mark.parametrize(
    ("methods", "row", "said"),
    [
        (
            ["sft"],
            {"prompt": "word " * 300, "chosen": "No."},
            r"^1 training rows .*instructions: long.* to 3\d\d,",
        ),
        (["sft"], {"prompt": "p", "chosen": "word " * 300}, "instructions: long"),
        (["mistake-analysis-plus"], {"prompt": "word " * 150}, "instructions: long"),
        (["sft"], {"prompt": "x" * 100, "chosen": "y" * 100}, None),
        (["vanilla"], {"prompt": "word " * 300, "chosen": "No."}, None),
    ],
)
def test_rows_that_make_samples_that_are_too_long_are_found_before_they_are_made(
    tmp_path: Path, methods: list[str], row: dict[str, str], said: str | None
) -> None:
    source = configuration(tmp_path / "none.jsonl")
    settings = source.model_copy(
        update={"methods": methods, "train": source.train.model_copy(update={"max_length": 280})}
    )
    rows = [Instruction(id="short", prompt="p", chosen="c"), Instruction.model_validate({"id": "long"} | row)]
    tokenizer = load_tokenizer(find_model("embedded"))
    with pytest.raises(InputError, match=said) if said else nullcontext():
        TrainingData(settings, english()).check_lengths({"instructions": rows}, tokenizer)


@pytest.mark.parametrize("said", [["word"] * 45, ["What is it?", "It is late. " * 9, "Why?"], ["Hi."]])
def test_what_the_template_writes_around_each_turn_counts(tmp_path: Path, said: list[str]) -> None:
    plain, tokenizer = configuration(tmp_path / "none.jsonl"), load_tokenizer(find_model("embedded"))
    row = Instruction.model_validate({"id": "long", "prompt": turns(*said), "chosen": "No."})
    tokens = len(tokenize_turns(messages_of(row.prompt), "No.", tokenizer))

    def check(limit: int) -> None:
        train = plain.train.model_copy(update={"max_length": limit})
        settings = plain.model_copy(update={"methods": ["sft"], "train": train})
        TrainingData(settings, english()).check_lengths({"instructions": [row]}, tokenizer)

    check(tokens + 8)
    with pytest.raises(InputError, match="instructions: long"):
        check(tokens - 1)


def test_where_either_may_be_the_mistake_the_longer_one_counts(tmp_path: Path) -> None:
    """A short bad answer that the gate rejects makes room for the model's, behind its guide's kept first words."""
    plain, tokenizer = configuration(tmp_path / "none.jsonl"), load_tokenizer(find_model("embedded"))

    def is_refused(source: str, words: int, guide: str = "plain") -> bool:
        settings = plain.model_copy(
            update={
                "methods": ["mistake-analysis"],
                "train": plain.train.model_copy(update={"max_length": 280}),
                "induce": InduceSettings.model_validate({"source": source, "guides": [guide]}),
            }
        )
        row = Instruction(id="a", prompt="word " * words, chosen="No.", rejected="Yes.")
        try:
            TrainingData(settings, english()).check_lengths({"instructions": [row]}, tokenizer)
        except InputError:
            return True
        return False

    lengths = range(60, 220)
    found = {source: sum(is_refused(source, words) for words in lengths) for source in ("own", "origin", "both")}
    assert found["both"] == found["own"] > found["origin"] + 30
    behind = sum(is_refused("own", words, "should-prefill") for words in lengths)
    assert behind == found["own"] + 2, "You should"


@pytest.mark.parametrize(
    ("methods", "shares", "benign", "refused"),
    [
        (["sft"], {"safe": 0}, True, False),
        (["sft"], {}, True, True),
        (["mistake-analysis"], {}, True, False),
        (["mistake-analysis"], {"analysis": 0}, True, True),
        (["mistake-analysis-plus", "vanilla"], {}, False, False),
    ],
)
def test_safe_answers_are_wanted_where_something_is_trained_on_them(
    tmp_path: Path, methods: list[str], shares: dict[str, float], benign: bool, refused: bool
) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "a", "prompt": "How?"}\n')
    settings = Configuration.model_validate(
        {
            "instructions": {"source": str(rows)},
            "benign": {"source": "bundled:benign/train"} if benign else None,
            "suites": {"redteam": {"source": "bundled:redteam/test", "kind": "red-team"}},
            "methods": methods,
            "compose": shares,
        }
    )
    with pytest.raises(InputError, match="no row has `chosen`") if refused else nullcontext():
        TrainingData(settings, english()).check_answers()


def test_no_room_is_kept_for_answers_that_nobody_writes(tmp_path: Path) -> None:
    plain, tokenizer = configuration(tmp_path / "none.jsonl"), load_tokenizer(find_model("embedded"))
    row = Instruction(id="a", prompt="word " * 60)
    for source, refused in (("both", True), ("origin", False)):
        train = plain.train.model_copy(update={"max_length": 110})
        answer = plain.answer.model_copy(update={"source": source})
        changed = {"methods": ["mistake-analysis-plus"], "train": train, "answer": answer, "compose": plain.compose}
        changed["compose"] = plain.compose.model_copy(update=dict.fromkeys(("analysis", "verdict", "chain"), 0.0))
        settings = plain.model_copy(update=changed)
        with pytest.raises(InputError, match=r"1 training rows .*instructions: a\)") if refused else nullcontext():
            TrainingData(settings, english()).check_lengths({"instructions": [row]}, tokenizer)
