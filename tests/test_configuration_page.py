"""docs/configuration.md names every key of a configuration, no other, and the defaults that it has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_core import PydanticUndefined

from amends.config import Configuration, DataSettings, Settings, SuiteSettings

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
SAMPLED = ("induce", "analyze", "revise", "answer", "respond")


def keys() -> dict[str, Any]:
    """Default by key; of what must be named, `needed`."""
    found: dict[str, Any] = {}
    for name, field in Configuration.model_fields.items():
        if isinstance(field.default, Settings):
            for key, inner in type(field.default).model_fields.items():
                found[f"{name}.{key}"] = inner.default
        elif name not in ("instructions", "benign", "suites"):
            found[name] = field.default
    for key, field in DataSettings.model_fields.items():
        found[f"*.{key}"] = "needed" if field.default is PydanticUndefined else field.default
    for key in SuiteSettings.model_fields.keys() - DataSettings.model_fields.keys():
        found[f"suites.NAME.{key}"] = "needed" if SuiteSettings.model_fields[key].is_required() else None
    return found


def documented() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in PAGE.read_text().splitlines():
        if not line.startswith("| `"):
            continue
        named, default = [cell.strip() for cell in line.split("|")[1:3]]
        names, defaults = re.findall("`([^`]+)`", named), re.findall("`([^`]+)`", default)
        values = [yaml.safe_load(one) for one in defaults] or [None if default == "none" else default]
        values = values * len(names) if len(values) == 1 else values
        for name, value in zip(names, values, strict=True):
            full = name if not name.startswith(".") else names[0].rpartition(".")[0] + name
            shared = full.startswith("*.") and full not in keys()
            for one in [full.replace("*", section) for section in SAMPLED] if shared else [full]:
                found[one] = value
        for section, own in re.findall(r"of `(\w+)` `([^`]+)`", line):
            found[f"{section}.{names[0].removeprefix('*.')}"] = yaml.safe_load(own)
    return found


def test_the_page_has_every_key_and_no_other() -> None:
    assert documented().keys() == keys().keys()


@pytest.mark.parametrize("key", keys())
def test_the_page_has_the_default(key: str) -> None:
    assert documented()[key] == keys()[key]
