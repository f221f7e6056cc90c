"""uv.lock: the versions of constraints.txt, from PyPI alone, by hash, with a wheel wherever the lock says it holds."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import canonicalize_name, parse_wheel_filename

REPOSITORY = Path(__file__).parents[1]
TEXT = (REPOSITORY / "uv.lock").read_text(encoding="utf-8")
LOCK = tomllib.loads(TEXT)
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
FOREIGN = [package for package in LOCK["package"] if package["name"] != "amends"]
OF_CUDA = ("cuda-", "nvidia-", "triton")
"""What PyPI's torch brings: another build of it brings others, so that constraints.txt leaves them open."""


def pins() -> dict[str, str]:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    named = [line.removeprefix("# no-deps: ").split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): version for name, version in named}


def test_the_lock_and_the_constraints_pin_the_same() -> None:
    locked = {package["name"]: package["version"] for package in FOREIGN if not package["name"].startswith(OF_CUDA)}
    assert len(FOREIGN) == len({package["name"] for package in FOREIGN}), "one version of each"
    assert locked == pins()


def test_all_comes_from_pypi_by_hash() -> None:
    assert {*re.findall(r"\w+://[^/\"]+", TEXT)} == {"https://pypi.org", "https://files.pythonhosted.org"}
    assert {str(package["source"]) for package in FOREIGN} == {"{'registry': 'https://pypi.org/simple'}"}
    (own,) = (package["source"] for package in LOCK["package"] if package["name"] == "amends")
    assert own == {"editable": "."}
    files = [one for package in FOREIGN for one in [*package["wheels"], *filter(None, [package.get("sdist")])]]
    assert [one["url"] for one in files if not one["hash"].startswith("sha256:")] == []


def test_it_is_of_the_project_as_it_is() -> None:
    """What `uv lock --check` asks, as far as that needs no uv: the same requirements, extras and environments."""
    (own,) = (package for package in LOCK["package"] if package["name"] == "amends")
    project = PROJECT["project"]
    extras = project["optional-dependencies"]
    wanted = {("", line) for line in project["dependencies"]} | {
        (name, line) for name in extras for line in extras[name]
    }
    found = set()
    for one in own["metadata"]["requires-dist"]:
        extra = re.findall(r"extra == '(\w+)'", one.get("marker", ""))
        of = f"[{','.join(one['extras'])}]" if "extras" in one else ""
        found.add(("".join(extra), f"{one['name']}{of}{one.get('specifier', '')}"))
    assert found == wanted and {*own["metadata"]["provides-extras"]} == {*extras}
    assert {Marker(one) for one in LOCK["supported-markers"]} == {
        Marker(one) for one in PROJECT["tool"]["uv"]["environments"]
    }
    assert LOCK["requires-python"] == project["requires-python"]


def tags(platform: str, minor: int) -> set[Tag]:
    names = {
        "macOS arm64": [*mac_platforms((14, 0), "arm64")],
        **{f"Linux {of}": [f"manylinux_2_{glibc}_{of}" for glibc in range(5, 36)] for of in ("x86_64", "aarch64")},
    }[platform]
    older = [f"manylinux{year}_{platform.split()[1]}" for year in ("1", "2010", "2014")]
    names += older if platform.startswith("Linux") else []
    version = (3, minor)
    return {*cpython_tags(version, platforms=names), *compatible_tags(version, f"cp3{minor}", names)}


@pytest.mark.parametrize("minor", range(11, 15))
@pytest.mark.parametrize("platform", ["Linux x86_64", "Linux aarch64", "macOS arm64"])
def test_nothing_is_compiled_where_the_lock_is_said_to_hold(platform: str, minor: int) -> None:
    fitting = tags(platform, minor)
    of_here = [
        package for package in FOREIGN if platform.startswith("Linux") or not package["name"].startswith(OF_CUDA)
    ]
    without = [
        package["name"]
        for package in of_here
        if not any(parse_wheel_filename(one["url"].rsplit("/", 1)[1])[3] & fitting for one in package["wheels"])
    ]
    assert without == []
