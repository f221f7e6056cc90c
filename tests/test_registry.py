"""Registries: what is added, what is not known, two of one name, and plug-ins of other packages."""

import sys
from pathlib import Path

import pytest

from amends.errors import InputError
from amends.registry import Registry

PLUGIN = """
[amends.colours]
green = {module}:GREEN
lost = {module}:NOWHERE
"""


def colours(package: str = "") -> "Registry[str]":
    return Registry("colour", package, "amends.colours", "colours.register(NAME, VALUE)")


def test_what_is_registered_is_found_in_order() -> None:
    known = colours()
    assert known.register("red", "#f00") == "#f00"

    @known.decorator("dark")
    def darken() -> str:
        return "dark"

    assert list(known) == ["red", "dark"]
    assert known["red"] == "#f00"
    assert "red" in known and "blue" not in known and len(known) == 2
    assert darken() == "dark"


def test_an_unknown_name_says_the_nearest_and_how_to_add_one() -> None:
    known = colours()
    known.register("crimson", "#dc143c")
    with pytest.raises(InputError, match=r"unknown colour 'crimsn'; did you mean 'crimson'\?.*colours\.register"):
        known["crimsn"]


def test_two_of_one_name_are_refused_with_both_places() -> None:
    known = colours()
    known.register("red", "#f00")
    with pytest.raises(InputError, match=r"test_registry\.py:\d+ and one in .*test_registry\.py:\d+"):
        known.register("red", "#e00")
    assert known["red"] == "#f00"


def test_a_cell_of_a_notebook_can_be_run_again() -> None:
    known = colours()
    for value in ("#f00", "#e00"):
        known.register("red", value)
    assert known["red"] == "#e00"


def test_a_changed_cell_replaces_its_own() -> None:
    known = colours()
    for value in ("#f00", "#e00"):
        exec(f"known.register('red', {value!r})", {"known": known, "__name__": "__main__"})
    assert known["red"] == "#e00"


def test_the_modules_of_its_package_register_what_amends_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "painted"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from amends.registry import Registry\nKNOWN = Registry('colour', 'painted', 'none', '')\n"
    )
    (package / "blue.py").write_text("from painted import KNOWN\nKNOWN.register('blue', '#00f')\n")
    (package / "azure.py").write_text("from painted import KNOWN\nKNOWN.register('azure', '#07f')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    from painted import KNOWN

    KNOWN.register("own", "#123")
    assert list(KNOWN) == ["azure", "blue", "own"]


def test_plugins_of_other_packages_and_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "paint_shop.py").write_text("GREEN = '#0f0'\n")
    facts = tmp_path / "paint_shop-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: paint-shop\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(PLUGIN.format(module="paint_shop"))
    monkeypatch.syspath_prepend(str(tmp_path))
    known = colours()
    assert known["green"] == "#0f0"
    assert "lost" in caplog.text and "paint-shop" in caplog.text
    with pytest.raises(InputError, match="cannot be used: paint_shop:NOWHERE"):
        known["lost"]
    sys.modules.pop("paint_shop")
