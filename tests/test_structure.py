"""The house: imports go only downward, files are short, and CONTRIBUTING.md shows what is there."""

import ast
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

PACKAGE = Path(str(resources.files("amends")))
CONTRIBUTING = Path(__file__).parents[1] / "CONTRIBUTING.md"
UPWARD = (
    *("errors", "seeds", "progress", "records", "settings", "registry", "text", "storage", "models", "prompts", "data"),
    *(
        "judges",
        "stages",
        "training",
        "evaluation",
        "config",
        "config_file",
        "reporting",
        "pipeline",
        "api",
        "serving",
        "cli",
        "__main__",
    ),
)
"""Each imports only what stands before it."""
VERSION = re.compile(r"amends(\.|\s+import\s+([\w, ]+,\s*)?)__version__")


def imports(path: Path) -> Iterator[str]:
    """The modules of amends that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        named = [f"{node.module}.{one.name}" for one in node.names] if isinstance(node, ast.ImportFrom) else []
        named += [one.name for one in node.names] if isinstance(node, ast.Import) else []
        yield from (name for name in named if name.startswith("amends."))


def test_imports_go_downward_only() -> None:
    upward = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for module in imports(path):
            other = module.split(".")[1]
            if own != "__init__" and other in UPWARD and UPWARD.index(other) > UPWARD.index(own):
                upward.append(f"{path.relative_to(PACKAGE)} imports {module}")
    assert not upward


def test_the_version_is_known_where_it_is_shown_alone() -> None:
    """Nothing that makes a fingerprint or the name of a cache can put it in, so that a release alone voids nothing."""
    knowing = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py") if VERSION.search(path.read_text())}
    assert "cli" in knowing and knowing <= {"pipeline", "api", "api.py", "reporting", "cli"}


def test_every_package_has_its_level_and_its_line() -> None:
    there = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.name.endswith(".py") or path.is_dir()}
    there -= {"__pycache__", "__init__"}
    assert there <= {*UPWARD}
    text = CONTRIBUTING.read_text()
    assert [name for name in there if f"{name}.py" not in text and f"{name}/" not in text] == []


def test_the_root_is_small_and_files_are_short() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 8
    files = [*PACKAGE.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    assert {str(path): lines for path, lines in lengths.items() if lines > 300} == {}


def test_what_no_registry_has_is_said_in_one_place() -> None:
    """With the nearest name, all names and how to add one: `errors.unknown`."""
    said = re.compile(r"Error\(\s*f?[\"']unknown ")
    assert [
        str(path) for path in PACKAGE.rglob("*.py") if path.name != "errors.py" and said.search(path.read_text())
    ] == []
