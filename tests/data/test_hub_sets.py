"""Sets of the hub: streamed, counted nowhere else, and refused offline with the remedy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loading import load

from amends.data.sources import source_files
from amends.errors import InputError
from amends.records import Instruction


def test_hub_data_set_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    calls = []

    def load_dataset(name: str, configuration: str | None, **options: Any) -> Iterator[dict[str, Any]]:
        calls.append((name, configuration, options))
        return iter([{"prompt": "Q", "response": "A"}, {"prompt": ""}])

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    loaded = load("owner/name")
    assert next(loaded) == Instruction(id="row-00000001", prompt="Q", chosen="A")
    with pytest.raises(InputError, match=r"owner/name \(hub, split train\): row 2: column 'prompt' is empty"):
        next(loaded)
    next(load("owner/name", split="test"))
    next(load("owner/name:one"))
    named = [(None, "train"), (None, "test"), ("one", "train")]
    assert calls == [("owner/name", one, {"split": split, "streaming": True}) for one, split in named]
    assert source_files("owner/name") == source_files("owner/name:one") == []


def test_reading_from_the_hub_is_counted_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, connections_elsewhere: list[str]
) -> None:
    """The library counts each use of a data set at a host that the user did not name."""
    import datasets

    def load_dataset(name: str, *_: Any, **__: Any) -> Iterator[dict[str, Any]]:
        datasets.load.increase_load_count(name)  # as it does, once it knows where the files are
        return iter([{"prompt": "Q"}])

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_UPDATE_DOWNLOAD_COUNTS", True)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert [row.prompt for row in load("owner/name")] == ["Q"]
    assert connections_elsewhere == []


def test_labels_of_the_hub_are_the_names_of_their_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    features = datasets.Features(prompt=datasets.Value("string"), label=datasets.ClassLabel(names=["safe", "unsafe"]))
    found = datasets.Dataset.from_dict({"prompt": ["a", "b", "c"], "label": [0, 1, 0]}, features=features)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: found.to_iterable_dataset())
    assert [row.prompt for row in load("owner/name", where={"label": "safe"})] == ["a", "c"]
    assert [row.prompt for row in load("owner/name", where={"label": ["safe", "other"]}, limit=1)] == ["a"]


def run_python(code: str, **environment: str) -> str:
    variables = os.environ | environment | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    ).stdout


def test_hub_data_set_offline_is_refused_with_the_remedy(tmp_path: Path) -> None:
    code = """if True:
        from amends.data.settings import DataSettings
        from amends.data.sources import load_instructions
        from amends.errors import InputError
        try:
            next(load_instructions(DataSettings(source="owner/name")))
        except InputError as error:
            print(error)
    """
    message = run_python(code, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path))
    assert "owner/name: no such file" in message and "HF_HUB_OFFLINE is set: unset it, or name a local file" in message


def test_import_loads_no_heavy_library() -> None:
    code = "import sys, amends.data.sources; print(sorted({'torch', 'datasets', 'pyarrow'} & set(sys.modules)))"
    assert run_python(code).strip() == "[]"


def test_a_mistyped_path_is_not_asked_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("data/rows", "./rows"):
        with pytest.raises(InputError, match=f"^{Path(name)}: no such file"):
            load(name)
