"""What vouches for an output: which parts it was made from, which settings, and the digests of its very bytes."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amends.errors import StoreError
from amends.storage.files import fingerprint
from amends.storage.manifest_content import DamagedError, changed_in, differences, read_content, write_content
from amends.storage.unfinished import Part, foreign_part, part_path

OF_RELEASES = ("inputs", "code", "templates", "leak test")
"""Parts that no flag changes, by which manifests of before, which do not say their settings, are understood."""

SUFFIX = ".manifest.json"
OWN = ("state", "fingerprint", "parts", "kind", "settings")

VERSION = "amends"  # a part in manifests of before: a release alone is no reason to make anything anew


def manifest_path(path: Path) -> Path:
    """Where the manifest of a file or directory lies."""
    return path.with_name(path.name + SUFFIX)


def backup_path(path: Path) -> Path:
    """Where the output of before lies while its successor is made."""
    return path.with_name(path.name + ".bak")


class Vouched:
    """An output, a file or directory, and what its manifest, `NAME.manifest.json` beside it, says of it.

    Args:
        path: the file or directory that the manifest is about.
        parts: what it is made from, by name (settings, inputs, templates, model ...); JSON-able.
        kind: what it holds (mistakes, verdicts ...). It is no part: manifests of before, without one, stay valid.
        settings: of the parts that a user sets, what is said where they differ. One without is said to have changed.
    """

    def __init__(
        self, path: Path, parts: Mapping[str, Any], kind: str = "", settings: Mapping[str, Any] | None = None
    ) -> None:
        if not path.name:
            raise StoreError(f"{path}: is a directory; name an output in it")
        self.path, self.kind = path, kind
        self.manifest_path, self.backup = manifest_path(path), backup_path(path)
        self.parts = {name: fingerprint(part=part) for name, part in parts.items()}
        self.settings = dict(settings or {})
        self.fingerprint = fingerprint(parts=self.parts)
        self.summary: Path | None = None  # a file that repeats the facts, and goes before they do
        self.overwrite = False  # whether work of other settings, and what was damaged, may be replaced

    def read(self) -> dict[str, Any]:
        """The manifest's content, empty where there is none. Raises DamagedError where it cannot be believed."""
        return read_content(self.manifest_path, self.path)

    def fact(self, name: str) -> dict[str, Any]:
        """What the manifest of a finished output says of it by that name. Raises DamagedError where it does not."""
        found = self.read().get(name)
        if not isinstance(found, dict):
            raise DamagedError(
                f"{self.manifest_path}: does not say {name!r}. Delete it and {self.path.name} to make that anew, or "
                "add --overwrite"
            )
        return dict(found)

    def refuse_damaged(self, remedy: str = "") -> None:
        """Raises DamagedError, with what to do, where a finished output, of any parts, is not as it was written."""
        content = self.read()
        if content.get("state") != "finished" or not self.path.exists():
            return
        if changed := changed_in(self.path, content):
            remedy = remedy or f"Delete {self.path} to make it anew, or add --overwrite"
            raise DamagedError(f"{changed}: was damaged, or edited, after amends wrote it. {remedy}")

    def is_of_these_parts(self, content: Mapping[str, Any]) -> bool:
        """Whether a manifest's content is of a making from the same parts."""
        return {name: part for name, part in content.get("parts", {}).items() if name != VERSION} == self.parts

    def changes(self) -> tuple[list[str], list[str]]:
        """How the work that is there differs: its settings, each as "NAME OLD -> NEW", and names of other parts.

        Both are empty where there is none: nothing finished, and no row or checkpoint of an interrupted writer.
        """
        content = self.read()
        if content.get("state") == "running" and not self.has_work():
            content = content.get("earlier", {})
        elif content.get("state") == "finished" and not self.path.exists():
            content = {}
        before = content.get("parts", {})
        settings: list[str] = []
        others: list[str] = []
        for name in sorted(self.parts.keys() | (before.keys() - {VERSION}), key=[*self.parts, *before].index):
            if not before or before.get(name) == self.parts.get(name):
                continue
            if "settings" not in content:  # of an earlier release
                (others if name in OF_RELEASES else settings).append(name)
                continue
            known = name in content["settings"] and name in self.settings
            told = differences(name, content["settings"][name], self.settings[name]) if known else []
            settings += told
            others += [] if told else [name]
        return list(dict.fromkeys(settings)), others

    def has_work(self) -> bool:
        """Whether an interrupted writer left something to go on from."""
        part = part_path(self.path)
        if part.is_dir():
            return any(entry.is_dir() for entry in part.iterdir())  # checkpoints, a reward model, the finished output
        return part.exists() and part.stat().st_size > 0

    def refuse_other_kind(self) -> None:
        """Raises StoreError where another stage's work lies: a mistyped output must not cost it."""
        if not self.path.exists() and not self.has_work():
            return
        there = self.read().get("kind", self.kind)
        if there != self.kind:
            raise StoreError(f"{self.path}: holds {there}, which {self.kind} would replace; choose another output")

    def refuse_changed(self) -> None:
        """Raises StoreError where what is there is not as amends left it: nobody's work is overwritten."""
        if not self.path.exists():
            return
        self.refuse_other_kind()
        content = self.read()
        if not content and not Part(self.path, self.fingerprint).is_ours():
            raise StoreError(
                f"{self.path}: exists and was not written by amends (no finished {self.manifest_path.name} beside it), "
                "and would be overwritten; move it away or choose another output"
            )
        known = content.get("earlier", {}) if content.get("state") == "running" else content
        if not self.overwrite and not self._is_unvouched(content) and (not known or changed_in(self.path, known)):
            raise StoreError(
                f"{self.path}: was changed after amends wrote it, and would be overwritten; move it away to make it "
                "anew"
            )

    def _is_unvouched(self, content: Mapping[str, Any]) -> bool:
        """Whether what lies there was put there by a training that was killed before its manifest said so."""
        known = content.get("earlier", {}) if content.get("state") == "running" else content
        is_earlier = bool(known) and not changed_in(self.path, known)
        return self.path.is_dir() and Part(self.path, self.fingerprint).is_ours() and not is_earlier

    def refuse_foreign_part(self) -> None:
        """Raises StoreError where somebody else's file has the name of a file that is being made."""
        part = part_path(self.path)
        if part.is_file() and part.stat().st_size and not self.read():
            raise foreign_part(part)

    def write(self, state: str, **facts: Any) -> None:
        """Writes the manifest atomically, with a digest of its own content."""
        kind = {"kind": self.kind} if self.kind else {}
        content = {
            "state": state,
            "fingerprint": self.fingerprint,
            "parts": self.parts,
            **kind,
            "settings": self.settings,
            **facts,
        }
        write_content(self.manifest_path, content)


def remove(path: Path) -> None:
    """Removes a file or directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def refuse_damaged(path: Path) -> None:
    """Raises DamagedError where a file or directory has a manifest beside it, and is not as that vouches for."""
    remedy = f"Make it again, or delete {manifest_path(path)} to take it as it is"
    Vouched(path, {}).refuse_damaged(remedy)


def refuse_damaged_in(directory: Path) -> None:
    """Raises DamagedError where anything in a directory is not as its manifest vouches for."""
    for found in sorted(directory.rglob(f"*{SUFFIX}")):
        path = found.with_name(found.name.removesuffix(SUFFIX))
        Vouched(path, {}).refuse_damaged(f"Delete {path}, and give the command again that made it")
