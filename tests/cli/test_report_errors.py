"""Reports, comparisons and probes that cannot be: a message with place and remedy."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import write_lines

pytestmark = pytest.mark.usefixtures("no_model_loads")


def test_report_and_compare_name_what_is_missing(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert refused("report", str(tmp_path), "--json", "--markdown") == "--json and --markdown: name one of them"
    assert refused("report", str(tmp_path)).startswith(f"{tmp_path / 'results.json'}: no such file; finish the run")
    (tmp_path / "results.json").write_text("{")
    assert refused("report", str(tmp_path)).startswith(f"{tmp_path / 'results.json'}: not readable as JSON")
    a = write_lines(tmp_path / "a.jsonl", [b'{"id": "a", "verdict": "harmless", "score": 0.9}'])
    b = write_lines(tmp_path / "b.jsonl", [b'{"id": "b", "verdict": "harmful", "score": 0.1}'])
    assert refused("compare", str(a), str(tmp_path / "c.jsonl")).startswith(f"{tmp_path / 'c.jsonl'}: no such file")
    assert refused("compare", str(a), str(b)).startswith(f"{a} and {b}: no id in both")
    rows = [f'{{"id": "a", "verdict": "harmful", "prompt_hash": "{about}"}}'.encode() for about in "ab"]
    other = [write_lines(tmp_path / f"{number}.jsonl", [row]) for number, row in enumerate(rows)]
    assert "1 of 1 ids are of two prompts (first: 'a')" in refused("compare", *map(str, other))
    write_lines(b, [b'{"id": "a", "verdict": "unscored"}'])
    assert refused("compare", str(a), str(b)).startswith(f"{a} and {b}: no prompt is scored in both; judge")
    write_lines(b, [b'{"id": "a", "verdict": "good"}'])
    assert refused("compare", str(a), str(b)).startswith(f"{b}: line 1: column 'verdict'")


def test_probe_commands_name_what_is_wrong(tmp_path: Path, refused: Callable[..., str]) -> None:
    rows = write_lines(tmp_path / "rows.jsonl", [b'{"prompt": "a", "response": "b", "label": "safe"}', b"{}"])
    out = ["--out", str(tmp_path / "probe")]
    missing = tmp_path / "missing.jsonl"
    assert refused("probe", "train", "--data", str(missing), *out).startswith(f"{missing}: no such file")
    assert refused("probe", "validate", "--data", str(rows)).startswith(f"{rows}: line 2: needs prompt, response")
    alike = write_lines(tmp_path / "alike.jsonl", [b'{"prompt": "a", "response": "b", "label": "safe"}'] * 2)
    failures = ["--failures", str(tmp_path / "failures.jsonl")]
    message = refused("probe", "validate", "--data", str(alike), *failures)
    assert message == "alike: all rows have the same label; a judge cannot be validated on them"
    assert "is a directory; name a file" in refused("probe", "train", "--data", str(rows), "--out", str(tmp_path))
    assert "as in 0:0.65" in refused("probe", "train", "--data", str(rows), "--part", "half", *out)
    for layers in ("a", "0", "18,14+0", "-1"):
        assert "layers from 1 on" in refused("probe", "train", "--data", str(rows), "--layers", layers, *out)


def test_a_probe_is_not_trained_on_one_label(tmp_path: Path, refused: Callable[..., str]) -> None:
    rows = [json.dumps({"prompt": f"Q{n}", "response": "b", "label": "unsafe"}).encode() for n in range(20)]
    path = write_lines(tmp_path / "rows.jsonl", rows)
    message = refused("probe", "train", "--data", str(path), "--out", str(tmp_path / "probe"))
    assert message.startswith("rows: the 20 rows, less those of the prompts to validate on, have one label only; give")
