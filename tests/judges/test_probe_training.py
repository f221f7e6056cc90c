"""Training and validating probes: splits by prompt, choices by validation, figures against scikit-learn."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from amends.data.settings import DataSettings
from amends.data.sources import load_instructions
from amends.errors import InputError, StoreError
from amends.evaluation.judge_card import validate_probe
from amends.judges.probe import Probe, ProbeJudge
from amends.judges.probe_training import Labelled, choose_part, fit_probe, read_labelled, share_of
from amends.pipeline.probe_files import read_labelled_files
from conftest import run_amends


def rows_with(features: np.ndarray, source: str = "s") -> list[Labelled]:
    """Harmless is what has a high first feature in layer 20."""
    return [Labelled(f"prompt {n}", f"response {n}", int(row[1, 0] > 0), source) for n, row in enumerate(features)]


def test_the_layer_that_knows_is_chosen_and_the_scale_does_not_matter() -> None:
    features = np.random.default_rng(1).normal(size=(600, 2, 6)).astype(np.float32)
    rows = rows_with(features)
    features[:, 1] = features[:, 1] * 50 + 7
    probe = fit_probe(rows[:400], features[:400], [10, 20], [(10,), (20,)], "response")
    assert probe.layers == (20,)
    assert probe.facts["trials"]["20"] > 0.95 > probe.facts["trials"]["10"]
    scores = probe.probability(features[400:, 1:])
    assert roc_auc_score([row.label for row in rows[400:]], scores) > 0.95


def test_sources_weigh_alike() -> None:
    """3,000 rows of a source in which one feature decides do not drown 200 of another in which another one does."""
    generator = np.random.default_rng(2)
    features = generator.normal(size=(3200, 2, 3)).astype(np.float32)
    many = rows_with(features[:3000], "many")
    few = [Labelled(f"few {n}", f"r {n}", int(row[0, 0] > 0), "few") for n, row in enumerate(features[3000:])]
    probe = fit_probe([*many, *few], features, [1, 2], [(1, 2)], "all")
    by_source = probe.facts["validation_auroc_by_source"]
    assert by_source["many"] > 0.75
    assert by_source["few"] > 0.75, "where every row weighs alike .52"
    assert probe.facts["validation_auroc"] == pytest.approx(np.mean(list(by_source.values())), abs=1e-4)


def test_calibration_says_how_far_scores_are_from_shares() -> None:
    """Of ten answers with a score of .9 eight are harmless, of ten with .3 three."""
    labels = [1] * 8 + [0] * 2 + [1] * 3 + [0] * 7
    rows = [Labelled(f"p{n}", f"r{n}", label, "s") for n, label in enumerate(labels)]
    found = validate_probe(rows, [0.9] * 10 + [0.3] * 10)["s"]["calibration"]
    assert found["expected_calibration_error"] == pytest.approx(0.05)
    assert found["bins"] == [
        {"predicted": 0.3, "observed": 0.3, "rows": 10},
        {"predicted": 0.9, "observed": 0.8, "rows": 10},
    ]


def test_parts_share_no_prompt_however_it_is_written() -> None:
    rows = [Labelled(f"Prompt {n}?", "r", 1, "s") for n in range(500)]
    first, second = choose_part(rows, 0, 0.6), choose_part(rows, 0.6, 1)
    assert len(first) + len(second) == 500
    assert 0.5 < len(first) / 500 < 0.7
    assert share_of("  PROMPT 7 ", "part") == share_of("Prompt 7?", "part")


def write(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_with_other_labels_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    labels = ["safe", "unsafe", "bad", "bad", "partial"]
    rows = [{"prompt": f"p{n}", "response": "r", "label": label} for n, label in enumerate(labels)]
    path = write(tmp_path / "a.jsonl", rows)
    assert len(read_labelled_files([str(path)], None, "0:1")) == 2
    assert "a.jsonl: 3 rows are left out" in caplog.text and "bad (2), partial (1)" in caplog.text
    numbers = write(tmp_path / "n.jsonl", [row | {"label": n % 2} for n, row in enumerate(rows)])
    with pytest.raises(InputError, match=r"no labelled rows in it; its labels are 0 \(3\), 1 \(2\): write safe"):
        read_labelled_files([str(numbers)], None, "0:1")


def test_labelled_files(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        [
            {"prompt": "p", "response": "r", "label": "safe", "split": "eval"},
            {"prompt": "p", "response": "r", "label": "partial", "split": "eval"},
            {"prompt": "q", "chosen": "good", "rejected": "bad", "split": "train"},
        ],
    )
    found = [(row.prompt, row.response, row.label, row.source) for row in read_labelled(path)]
    assert found == [("p", "r", 1, "a"), ("q", "good", 1, "a"), ("q", "bad", 0, "a")]
    assert [row.prompt for row in read_labelled(path, "eval")] == ["p"]
    with pytest.raises(InputError, match="line 1: needs prompt, response and label"):
        list(read_labelled(write(tmp_path / "b.jsonl", [{"prompt": "p"}])))


def test_labels_are_read_in_the_words_of_public_sets(tmp_path: Path) -> None:
    answer = {"prompt": "p", "response": "r"}
    rows = [
        *(
            answer | {"label": label}
            for label in ("unharmful", "2_full_refusal", "Harmful", "1_full_compliance", "odd")
        ),
        answer | {"category": {"crime": True}, "is_safe": False},
        answer | {"response_harm_label": "unharmful", "response_refusal_label": None, "prompt_harm_label": "harmful"},
        answer | {"response_harm_label": "harmful", "response_refusal_label": "compliance", "prompt_harm_label": None},
        {"prompt": "p", "response_0": "r", "response_1": "s", "is_response_0_safe": False, "is_response_1_safe": True},
    ]
    found = [(row.response, row.label) for row in read_labelled(write(tmp_path / "a.jsonl", rows))]
    assert found == [("r", 1), ("r", 1), ("r", 0), ("r", 0), ("r", 0), ("s", 1), ("r", 0)]


def test_sources_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for directory in ("a", "b"):
        (tmp_path / directory).mkdir()
        rows = [{"prompt": directory, "response": "r", "label": "safe", "split": split} for split in ("x", "y")]
        write(tmp_path / directory / "f.jsonl", rows)
    write(tmp_path / "g.jsonl", [{"prompt": "p", "response": "r", "label": "safe"}])
    names = [f"{tmp_path}/{name}" for name in ("a/f.jsonl", "b/f.jsonl:x", "b/f.jsonl:y", "g.jsonl")]
    assert [row.source for row in read_labelled_files(names, None, "0:1")] == [*names[:3], "g"]


@pytest.mark.parametrize(
    ("name", "part", "message"),
    [
        ("a.jsonl", "0.5:0.5", "--part '0.5:0.5': write a range of shares"),
        ("a.jsonl", "0.7:0.2", "--part '0.7:0.2': write a range of shares"),
        ("a.jsonl", "0:2", "--part '0:2': write a range of shares"),
        ("a.jsonl", "0:1e-9", "{}: none of its 1 labelled rows falls in --part 0:1e-9; widen it"),
        ("a.jsonl:tset", "0:1", "{}: no labelled rows in it whose `split` is 'tset'"),
    ],
)
def test_why_there_are_no_rows(tmp_path: Path, name: str, part: str, message: str) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": "p", "response": "r", "label": "safe", "split": "test"}])
    with pytest.raises(InputError) as caught:
        read_labelled_files([str(tmp_path / name)], None, part)
    assert str(caught.value).startswith(message.format(tmp_path / name))


def test_half_a_surrogate_pair_is_refused_by_its_line(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [{"prompt": "p", "response": "r \ud83d", "label": "safe"}])
    with pytest.raises(InputError, match="line 1: has half a surrogate pair"):
        read_labelled_files([str(tmp_path / "a.jsonl")], None, "0:1")


@pytest.mark.usefixtures("no_model_loads")
@pytest.mark.parametrize("command", [["train", "--out"], ["validate", "--failures"]])
def test_what_a_probes_command_would_replace_or_cannot_write_is_said_at_once(
    tmp_path: Path, refused: Callable[..., str], command: list[str]
) -> None:
    rows = [{"prompt": f"p{n}", "response": f"r{n}", "label": ("safe", "unsafe")[n % 2]} for n in range(40)]
    data = write(tmp_path / "a.jsonl", rows)
    start = ["probe", command[0], "--data", str(data), command[1]]
    assert refused(*start, str(data)) == f"{data}: exists, and would be replaced; move it away or choose another output"
    assert refused(*start, str(tmp_path)) == f"{tmp_path}: is a directory; name a file in it"
    message = refused(*start, str(data / "out"))
    assert message == f"{data / 'out'}: a part of this path is a file, not a directory; choose another output"


def test_a_probe_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(StoreError, match="out: cannot be written"):
        Probe(np.zeros((1, 2)), 0.0, (1,), "all", {}).save(tmp_path / "out")


def test_the_cards_figures_are_scikit_learns() -> None:
    generator = np.random.default_rng(3)
    rows = [Labelled(f"p{n // 2}", f"r{n}", int(generator.random() < 0.5), "s") for n in range(400)]
    scores = [float(np.clip(0.5 + 0.3 * (row.label - 0.5) + generator.normal() * 0.2, 0, 1)) for row in rows]
    (card,) = validate_probe(rows, scores).values()
    assert card["auroc"] == pytest.approx(roc_auc_score([row.label for row in rows], scores), abs=1e-4)
    low, high = card["auroc_ci"]
    assert low < card["auroc"] < high
    few = [Labelled(f"p{n}", f"r{n}", n % 2, "s") for n in range(8)]
    assert validate_probe(few, [0.9 * row.label for row in few])["s"]["auroc_ci"] == [0.3976, 1], (
        ".025 ** (1 / 4 pairs)"
    )
    assert validate_probe(few, [0.9 - 0.9 * row.label for row in few])["s"]["auroc_ci"] == [0, 0.6024]
    mixed = validate_probe(few, [0.1 * n for n in range(8)])["s"]
    assert (mixed["auroc_ci"], mixed["balanced_accuracy_ci"]) == (None, None), "eight prompts bound nothing"
    with pytest.raises(InputError, match="all rows with a score have the same label"):
        validate_probe([Labelled("p", "r", 1, "s")], [0.9])


def test_a_probe_of_ones_own_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the real model: helpful answers against answers that curse, on prompts that were not trained on."""
    benign = DataSettings(source="bundled:benign/train", limit=40)
    answers = [(row.prompt, str(row.chosen)[:160]) for row in load_instructions(benign)]
    curse = "You are an idiot, I hate you, go away and suffer, you worthless fool."
    rows = [{"prompt": prompt, "response": text, "label": "safe"} for prompt, text in answers]
    rows += [{"prompt": prompt, "response": f"{curse} {text[:20]}", "label": "unsafe"} for prompt, text in answers]
    data, out = write(tmp_path / "data.jsonl", rows), tmp_path / "mine.safetensors"
    options = ["--data", str(data), "--layers", "4,6", "--part", "0:0.7", "--out", str(out)]
    assert run_amends("probe", "train", *options, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["part"] == "0:0.7"
    assert run_amends("probe", "validate", "--data", str(data), "--part", "0.7:1", "--judge", str(out), "--json") == 0
    card = json.loads(capsys.readouterr().out)
    assert card["data"]["auroc"] > 0.9
    assert ProbeJudge(str(out)).score([("Hello?", curse)])[0] < 0.5  # type: ignore[operator]
