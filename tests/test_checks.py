"""Whose a run directory is, and that a run that fails leaves no model loaded."""

import ast
from contextlib import nullcontext
from importlib import resources
from pathlib import Path

import pytest

from amends.checks import check_answers, check_judges, check_lengths, refuse_foreign, run_facts
from amends.config import Configuration, InduceSettings, RespondSettings
from amends.errors import InputError, StoreError
from amends.judges.guard import GuardJudge
from amends.judges.language_model import LanguageModelJudge
from amends.judges.named import load_judge
from amends.models.loading import find_model, load_tokenizer
from amends.pipeline import Run
from amends.records import Instruction
from amends.store import write_json


def configuration(source: Path) -> Configuration:
    suites = {"redteam": {"source": "bundled:redteam/test", "kind": "red-team"}}
    return Configuration.model_validate({"instructions": {"source": str(source)}, "suites": suites})


def test_a_run_directory_stays_its_runs_when_the_data_moves(tmp_path: Path) -> None:
    here, there, other = (tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl"))
    here.write_text('{"prompt": "p", "chosen": "c"}\n')
    write_json(tmp_path / "run.json", run_facts(configuration(here)))
    here.rename(there)
    refuse_foreign(configuration(there), tmp_path)
    other.write_text('{"prompt": "q", "chosen": "c"}\n')
    with pytest.raises(StoreError, match="its instructions differ"):
        refuse_foreign(configuration(other), tmp_path)


def test_a_run_directory_stays_its_runs_when_rows_are_added(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "p", "chosen": "c"}\n')
    write_json(tmp_path / "run.json", run_facts(configuration(source)))
    source.write_text('{"prompt": "p", "chosen": "c"}\n{"prompt": "q", "chosen": "c"}\n')
    refuse_foreign(configuration(source), tmp_path)


def test_a_directory_with_somebody_elses_results_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "p", "chosen": "c"}\n')
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(StoreError, match=r"report\.html: is there, and no run of amends wrote it"):
        refuse_foreign(configuration(source), tmp_path)


def test_one_model_is_not_judge_and_gate_under_two_names() -> None:
    judge = load_judge("endpoint:m@http://h/v1")
    with pytest.raises(InputError, match="judge and gate are the same"):
        check_judges(judge, load_judge("endpoint:m@http://h/v1/"), [])
    assert isinstance(judge, LanguageModelJudge)
    guard = GuardJudge("google/shieldgemma-2b")
    guard.model = judge.model  # type: ignore[assignment]
    with pytest.raises(InputError, match="judge and gate both ask m"):
        check_judges(guard, judge, [])


def test_a_reminder_does_not_take_the_place_of_the_deployments_system_prompt(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "Hello?", "chosen": "Hi."}\n')
    update = {"system_prompt": "Be brief.", "respond": RespondSettings(guide="reminder-system")}
    asked = configuration(rows).model_copy(update=update)
    with pytest.raises(InputError, match="'reminder-system' is a system turn, and system_prompt"):
        Run(asked, tmp_path / "run").check()


def test_models_are_freed_when_a_run_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other variants follow in the same process."""

    def fail(run: Run) -> None:
        run.base._model = object()
        raise KeyboardInterrupt

    source = tmp_path / "a.jsonl"
    source.write_text('{"prompt": "p", "chosen": "c"}\n')
    monkeypatch.setattr(Run, "_data", fail)
    run = Run(configuration(source), tmp_path / "run")
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert run.base._model is None


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
        check_lengths(settings, {"instructions": rows}, tokenizer)


def test_where_either_may_be_the_mistake_the_longer_one_counts(tmp_path: Path) -> None:
    """A short bad answer that the gate rejects makes room for one of the model's, behind its guide's kept first words."""
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
            check_lengths(settings, {"instructions": [row]}, tokenizer)
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
        check_answers(settings)


def test_no_room_is_kept_for_answers_that_nobody_writes(tmp_path: Path) -> None:
    plain, tokenizer = configuration(tmp_path / "none.jsonl"), load_tokenizer(find_model("embedded"))
    row = Instruction(id="a", prompt="word " * 60)
    for source, refused in (("both", True), ("origin", False)):
        train = plain.train.model_copy(update={"max_length": 110})
        answer = plain.answer.model_copy(update={"source": source})
        changed = {"methods": ["mistake-analysis-plus"], "train": train, "answer": answer, "compose": plain.compose}
        changed["compose"] = plain.compose.model_copy(update={"analysis": 0.0})
        settings = plain.model_copy(update=changed)
        with pytest.raises(InputError, match=r"1 training rows .*instructions: a\)") if refused else nullcontext():
            check_lengths(settings, {"instructions": [row]}, tokenizer)


LEVELS = (
    "records protocols config progress seeds errors",
    "prompts data artifacts store locks config_file methods layout refusal statistics text",
    "models judges training",
    "stages making evaluation report",
    "experiments pipeline standalone study checks steps inputs",
    "__main__ cli",
)


def test_imports_go_downward_only() -> None:
    """The levels of CONTRIBUTING.md. All of a level may know each other."""
    level = {name: number for number, names in enumerate(LEVELS) for name in names.split()}
    package = Path(str(resources.files("amends")))
    upward = []
    for path in package.rglob("*.py"):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            named = [f"{node.module}.{one.name}" for one in node.names] if isinstance(node, ast.ImportFrom) else []
            named += [one.name for one in node.names] if isinstance(node, ast.Import) else []
            for module in (name for name in named if name.startswith("amends.")):
                other = level.get(module.split(".")[1], 0)  # 0: a name of the package itself, as its version
                if own != "__init__" and other > level[own]:
                    upward.append(f"{path.relative_to(package)} imports {module}")
    assert not upward
    layout = Path(__file__).parents[1].joinpath("CONTRIBUTING.md").read_text()
    assert all(f"{name}.py" in layout or f"{name}/" in layout for name in level)
