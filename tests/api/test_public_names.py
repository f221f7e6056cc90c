"""The public names: there, lazy, typed, and each with a docstring that shows how it is called."""

import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import amends

FUNCTIONS = (
    *("load_model", "load_data", "load_judge", "induce", "analyze", "revise", "answer", "compose", "train", "respond"),
    *("judge", "compare", "study", "run", "report", "why", "doctor", "contrast", "reply", "chain"),
)


def test_importing_amends_loads_nothing_heavy() -> None:
    script = (
        "import sys, time; began = time.process_time(); import amends; took = time.process_time() - began; "
        "print(took, [name for name in ('torch', 'numpy', 'pydantic', 'pandas', 'rich') if name in sys.modules])"
    )
    found = min(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    )
    seconds, _, loaded = found.partition(" ")
    assert loaded.strip() == "[]"
    assert float(seconds) < 0.1


def test_every_public_name_is_there_and_known_to_type_checkers() -> None:
    stated = Path(amends.__file__).read_text()
    for name in amends.__all__:
        assert getattr(amends, name) is not None
        assert f"{name} as {name}" in stated
    assert set(FUNCTIONS) < set(amends.__all__) <= set(dir(amends))
    with pytest.raises(AttributeError, match="no attribute 'induces'"):
        amends.induces  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_says_how_it_is_called_and_hides_no_type(name: str) -> None:
    function = getattr(amends, name)
    assert inspect.isfunction(function), "and no package, which would take its name once it is imported"
    said = inspect.getdoc(function) or ""
    assert "Example:" in said
    hints = typing.get_type_hints(function)
    assert typing.Any not in hints.values()
    missing = [parameter for parameter in inspect.signature(function).parameters if parameter not in hints]
    assert missing == []


def test_report_writes_the_page_again_and_gives_the_results(finished_run: Path) -> None:
    results = amends.report(finished_run)
    page = (finished_run / "report.html").read_bytes()
    assert page.startswith(b"<!doctype html>") or page.startswith(b"<!DOCTYPE html>")
    assert results.adapter("sft").is_dir()
    assert len(results.to_pandas()) == len(results.systems)
    assert "<table>" in results._repr_html_()
    with pytest.raises(amends.AmendsError, match=r"trained no method 'stf'; did you mean 'sft'"):
        results.adapter("stf")
