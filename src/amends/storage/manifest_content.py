"""What a manifest says: read with its own digest, the digests of an output's bytes, and how settings differ."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from amends.errors import StoreError
from amends.storage.files import directory_fingerprint, file_digest, fingerprint, model_files, write_json
from amends.storage.locks import device_errors

SHOWN = 120  # characters of a setting in a message


class DamagedError(StoreError):
    """What is there is not what was written: damaged, or edited since."""


class _Content(BaseModel):
    """The fields that are relied on, by their types."""

    model_config = ConfigDict(extra="allow")

    state: Literal["running", "finished"] = "running"
    fingerprint: str = ""
    parts: dict[str, str] = {}
    kind: str = ""
    settings: dict[str, Any] = {}
    bytes: NonNegativeInt | None = None
    sha256: str = ""
    files: dict[str, str] = {}
    contents: str = ""
    chunk_rows: PositiveInt | None = None
    earlier: "_Content | None" = None
    coming: "_Content | None" = None
    facts: dict[str, Any] = {}
    kinds: dict[str, int] = {}


def read_content(manifest: Path, output: Path) -> dict[str, Any]:
    """A manifest's content, an empty dict where there is none.

    One of an earlier release has neither settings nor a digest of its own content.

    Raises:
        DamagedError: it cannot be believed.
        StoreError: it cannot be read, since its name is too long, say.
    """
    try:
        text = manifest.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        with device_errors(output):
            raise error
    except UnicodeDecodeError:
        text = ""
    try:
        content = json.loads(text)
        _Content.model_validate(content, strict=True)
        own = content.pop("digest", None)
        is_of_before = own is None and "settings" not in content
        whole = "state" in content and (is_of_before or own == fingerprint(content=content))
    except (ValueError, RecursionError, ValidationError):
        whole = False
    if not whole:
        raise DamagedError(f"{manifest}: is damaged. Delete it and {output.name} to make that anew, or add --overwrite")
    return dict(content)


def write_content(manifest: Path, content: Mapping[str, Any]) -> None:
    """Writes a manifest atomically; where it says settings, with a digest of its own content."""
    written = json.loads(json.dumps(content, ensure_ascii=False, default=str))  # as it will be read
    if "settings" in written:
        written["digest"] = fingerprint(content=written)
    write_json(manifest, written)


def contents(path: Path) -> dict[str, Any]:
    """What vouches for a file's or directory's bytes."""
    if path.is_dir():
        return {"files": model_files(path)}
    return {"bytes": path.stat().st_size, "sha256": file_digest(path)}


def changed_in(path: Path, facts: Mapping[str, Any]) -> Path | None:
    """The first file that is not what the facts of a manifest vouch for; None where all are."""
    if path.is_dir():
        if facts.get("contents", "") not in ("", directory_fingerprint(path)):  # of an earlier release
            return path
        there, known = model_files(path), facts.get("files", {})
        changed = [name for name in sorted(there | known) if there.get(name) != known.get(name)] if known else []
        return path / changed[0] if changed else None
    size, digest = facts.get("bytes"), facts.get("sha256")
    whole = size in (None, path.stat().st_size) and digest in (None, "", file_digest(path))
    return None if whole else path


def differences(name: str, before: Any, now: Any) -> list[str]:
    """Settings that differ, each as "NAME OLD -> NEW"; those of a group by their own names."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = [*before, *(key for key in now if key not in before)]
        return [one for key in keys for one in differences(key, before.get(key), now.get(key))]
    old, new = (json.dumps(value, sort_keys=True, default=str, ensure_ascii=False) for value in (before, now))
    return [] if old == new else [f"{name} {_shown(before, old)} -> {_shown(now, new)}"]


def _shown(value: Any, text: str) -> str:
    text = value if isinstance(value, str) else "none" if value is None else text
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
