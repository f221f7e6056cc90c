"""One of each kind, added from Python through the public functions, and used from the command line to the results."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import amends
from amends.config.methods import METHODS, Method
from amends.data.layouts import LAYOUTS
from amends.errors import ConfigError, InputError
from amends.evaluation.metrics.base import METRICS
from amends.evaluation.metrics.kinds import Rate
from amends.evaluation.results import Results
from amends.evaluation.suites.answers import Answers
from amends.evaluation.suites.base import SUITE_KINDS
from amends.registry import Settings
from amends.reporting.tables import results_table
from amends.training.sample_kinds.base import SAMPLE_KINDS, SampleKind, each
from amends.training.trainers import sft
from amends.training.trainers.base import TRAINERS, Trainer
from conftest import CONFIGS, run_amends

SUITE = ("suites.support.source=bundled:benign/test", "suites.support.kind=support", "suites.support.limit=3")


class PatientSettings(Settings):
    patience: int = 1


TOLD: list[int] = []


def make_trainer(tokenized: Any, tokenizer: Any, directory: Path, recipe: Any) -> Any:
    TOLD.append(recipe.told(PatientSettings).patience)
    return sft.make_trainer(tokenized, tokenizer, directory, recipe)


@pytest.fixture(scope="module")
def added() -> Iterator[None]:
    amends.register_trainer(Trainer("patient", sft.columns, make_trainer, settings=PatientSettings))
    short = each("short", "instructions", lambda row, _: (row.prompt, "No, I would rather not."))
    amends.register_sample_kind(SampleKind("short", ("instructions",), short))
    amends.register_method(Method("short-answers", ("short", "benign"), "ours: a short refusal", trainer="patient"))
    amends.register_suite_kind(Answers(name="support", asks_harm=False, headlines=("refusal_rate",)))
    amends.register_metric(
        Rate(
            name="vowel_rate",
            title="with an e %",
            more="more with an e",
            less="fewer with an e",
            of_answer=lambda response, _: "e" in response.response,
            headline=("support",),
        )
    )
    yield
    for registry, name in (
        (TRAINERS, "patient"),
        (SAMPLE_KINDS, "short"),
        (METHODS, "short-answers"),
        (SUITE_KINDS, "support"),
        (METRICS, "vowel_rate"),
    ):
        registry.remove(name)


@pytest.fixture(scope="module")
def run(added: None, finished_run: Path, tiny_settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished run, with a method and a suite of the user's own: all else is kept."""
    directory = tmp_path_factory.mktemp("added") / "run"
    shutil.copytree(finished_run, directory)
    own = ("methods=[vanilla, short-answers]", "preference.patience=3", "compose.short=.5", *SUITE)
    assert run_amends("run", *tiny_settings, *own, "--out", str(directory)) == 0
    return directory


def test_a_method_is_a_row_that_is_trained_and_measured(run: Path) -> None:
    facts = json.loads((run / "short-answers/training.json").read_text())
    assert facts["steps"] == 2
    kinds = [json.loads(line)["kind"] for line in (run / "short-answers/samples.jsonl").read_text().splitlines()]
    assert set(kinds) == {"short", "benign"}
    assert kinds.count("short") < 6, "half of the six instructions, nearly"


def test_a_trainer_has_settings_of_its_own(run: Path) -> None:
    assert TOLD == [3]


def test_a_metric_is_in_results_and_tables(run: Path) -> None:
    content = json.loads((run / "results.json").read_text())
    for row in content["systems"]:
        measured = row["suite"] != "benign"
        assert (row["vowel_rate"] is not None) == measured
        assert (row["vowel_rate_ci"] is not None) == measured
    assert {row["metric"] for row in content["comparisons"]} >= {"vowel_rate", "harmless_rate", "reference_loss"}
    assert "support\nwith an e %" in results_table(Results.model_validate(content)).numbers
    assert "with an e %" in (run / "report.html").read_text()


def test_a_suite_kind_says_how_it_is_measured_and_shown(run: Path) -> None:
    results = Results.model_validate_json((run / "results.json").read_text())
    rows = [row for row in results.systems if row.suite == "support"]
    assert len(rows) == 4
    assert all(row.kind == "support" and row.refusal_rate is not None for row in rows)
    assert all(row.harmless_engaged_rate is not None for row in rows), "it is judged"
    assert "support\nrefused %" in results_table(results).numbers
    assert (run / "vanilla/unguided.support.verdicts.jsonl").exists()


def test_results_can_be_read_where_the_metric_is_not_known(run: Path) -> None:
    content = json.loads((run / "results.json").read_text())
    for row in content["systems"]:
        row["wordiness"], row["wordiness_ci"] = 0.5, [0.4, 0.6]
    row = Results.model_validate(content).systems[0]
    assert row.value("wordiness") is None and row.value("vowel_rate") is not None


def test_a_layout_is_read_by_respond(tmp_path: Path) -> None:
    @amends.register_layout("support questions", ["Question Text", "Good"])
    def support(row: dict[str, Any]) -> dict[str, Any]:
        return {"prompt": row["Question Text"], "chosen": row["Good"]}

    questions = tmp_path / "questions.jsonl"
    rows = [{"Question Text": f"How do I bake bread number {n}?", "Good": "Slowly."} for n in range(2)]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "responses.jsonl"
    try:
        command = ("respond", "--prompts", str(questions), "--max-new-tokens", "4", "--out", str(out))
        assert run_amends(*command) == 0
    finally:
        LAYOUTS.remove("support questions")
    assert [json.loads(line)["prompt"] for line in out.read_text().splitlines()] == [
        row["Question Text"] for row in rows
    ]


def layout(convert: Any, row: dict[str, Any]) -> dict[str, Any]:
    """What a layout of two columns makes of a row."""
    from amends.data.mapping import map_row

    amends.register_layout("mine", ["asked", "answered"])(convert)
    try:
        return map_row(row, None, 1)
    finally:
        LAYOUTS.remove("mine")


ROW = {"asked": "How do I insult him?", "answered": "I would rather not."}


def test_a_layout_is_recognised_before_those_that_amends_brings() -> None:
    row = ROW | {"prompt": "Something else"}
    assert layout(lambda row: {"prompt": row["asked"]}, row)["prompt"] == ROW["asked"]


def test_what_speaks_against_the_answer_of_a_layout_is_refused() -> None:
    with pytest.raises(InputError, match="column 'is_harmful' seems to say whether the answer is safe"):
        layout(lambda row: {"prompt": row["asked"], "chosen": row["answered"]}, ROW | {"is_harmful": True})


@pytest.mark.parametrize(
    ("convert", "said"),
    [
        (lambda row: {"prompt": row["quesion"]}, "column 'quesion' is missing; the row has asked, answered"),
        (lambda row: {"answer": row["asked"]}, "layout 'mine' gives answer; it has to give prompt"),
        (lambda row: 1 / 0, "layout 'mine' cannot read it: ZeroDivisionError: division by zero"),
    ],
)
def test_a_layout_that_does_not_fit_says_so(convert: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        layout(convert, ROW)


@pytest.mark.parametrize(
    ("method", "said"),
    [
        (Method("sft", ("safe",), "mine"), r"two methods are named 'sft', one in .*methods\.py:\d+ and one in .*test_"),
        (Method("mine", ("saffe",), "mine"), "unknown kind of samples 'saffe'; did you mean 'safe'"),
        (Method("mine", ("safe",), "mine", trainer="dop"), "unknown trainer 'dop'; did you mean 'dpo'"),
        (Method("mine", ("safe",), "mine", start="stf"), "unknown method 'stf'; did you mean 'sft'.*register_method"),
    ],
)
def test_a_method_of_what_is_not_there_is_refused(method: Method, said: str) -> None:
    with pytest.raises(InputError, match=said):
        amends.register_method(method)
    assert "mine" not in METHODS


def test_an_unknown_share_names_the_nearest(added: None, tmp_path: Path) -> None:
    from amends.config.reading import load_configuration

    with pytest.raises(ConfigError, match=r"compose\.shrot: unknown key; did you mean 'short'\?"):
        load_configuration(CONFIGS / "quickstart.yaml", ["compose.shrot=1"])
    with pytest.raises(ConfigError, match=r"compose\.short: input should be less than or equal to 10"):
        load_configuration(CONFIGS / "quickstart.yaml", ["compose.short=11"])
    kept = load_configuration(CONFIGS / "quickstart.yaml", ["compose.short=2", "compose.safe=0"])
    assert (kept.shares["short"], kept.shares["safe"], kept.shares["benign"]) == (2, 0, 1)


def test_results_say_which_metric_is_not_known() -> None:
    with pytest.raises(ValueError, match=r"unknown metric 'charm'.*register_metric"):
        Results.model_validate(
            {"model": "m", "seed": 0, "systems": []}
            | {
                "comparisons": [
                    {"a": "a", "b": "b", "suite": "s", "metric": "charm", "difference": 0, "test": "", "n": 1}
                ]
            }
        )
