"""The wheel: all that the package reads is inside, and it runs from an empty folder, where no repository is."""

import os
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
NOT_READ = {"__pycache__"}
PIP = [sys.executable, "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since setuptools leaves a folder behind, from which it would take what is long gone."""
    sources = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, sources)
    shutil.copytree(REPOSITORY / "src/amends", sources / "src/amends", ignore=shutil.ignore_patterns(*NOT_READ))
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", sources, sources], check=True)
    (built,) = sources.glob("amends-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", "--no-deps", "--no-compile", "--target", directory, wheel], check=True)
    return directory


def test_every_file_of_the_package_is_inside(wheel: Path) -> None:
    """Templates, bundled data, configurations, weights: a kind of file that pyproject.toml forgets is one too few."""
    package = REPOSITORY / "src/amends"
    files = {
        path.relative_to(package.parent).as_posix()
        for path in package.rglob("*")
        if path.is_file() and not NOT_READ & {*path.parts}
    }
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("amends/")}
    assert inside == files


def test_the_metadata_says_what_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
    said = Parser().parsestr(archive.read(name).decode())
    assert said["License-Expression"] == "Apache-2.0 AND CC-BY-NC-4.0"
    assert any(one.endswith("LICENSE") for one in archive.namelist())
    assert said["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in said.get_all("Classifier", [])
    assert said["Keywords"] and said["Project-URL"]


def run_installed(installed: Path, folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [installed / "bin/amends", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_plans_a_bundled_configuration_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    where = "import amends; print(amends.__file__)"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    found = subprocess.run([sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == str(installed / "amends/__init__.py")
    assert "induce" in run_installed(installed, tmp_path, "--help")
    assert "runs/quickstart" in run_installed(installed, tmp_path, "run", "quickstart", "--plan")
    assert list(tmp_path.iterdir()) == []
