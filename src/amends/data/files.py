"""Which files a source names: one, those that fit a pattern, or a directory's, of the split that is asked for."""

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from amends.data.lines import ending, require_file
from amends.data.readers import can_be_read, reader_of
from amends.errors import InputError
from amends.storage.files import read_json

STATE, SPLITS = "state.json", "dataset_dict.json"  # what save_to_disk of `datasets` writes beside its Arrow files
DEFAULT_SPLIT = "train"  # as of a data set of the hub
USUAL_SPLITS = ("train", "test", "validation", "valid", "val", "dev", "eval")
SHARD = re.compile(r"(?P<split>[\w.-]+?)-\d{5}-of-\d{5}(\.|$)")
MAX_NAMED = 5


@dataclass(frozen=True)
class Files:
    """The files behind a source, in order. `split`: the rows' value in their column `split`; None takes all rows."""

    paths: tuple[Path, ...]
    split: str | None = None


def is_pattern(path: Path) -> bool:
    """Whether a path names no file but says what files are called."""
    return glob.has_magic(str(path)) and not path.exists()


def find_files(path: Path, split: str | None) -> Files:
    """The files that a path names: its own, those that fit its pattern (sorted), or those of a directory.

    A directory is one that `save_to_disk` of `datasets` wrote, or has files named by their splits, as a repository of
    the hub has, itself or in `data`. `split` chooses among its splits, where there are any; elsewhere it chooses rows.

    Raises:
        InputError: nothing is there, or nothing that can be read.
    """
    if is_pattern(path):
        return Files(tuple(_fitting(path)), split)
    if path.is_dir():
        return _in_directory(path, split)
    require_file(path)
    reader_of(path)
    return Files((path,), split)


def _fitting(pattern: Path) -> list[Path]:
    found = sorted(Path(name) for name in glob.glob(str(pattern), recursive=True))  # noqa: PTH207 (Path's has no root)
    files = [path for path in found if not path.is_dir()]
    if not files:
        raise InputError(f"{pattern}: no file fits this pattern; check it (it is looked up from {Path.cwd()})")
    for path in files:
        require_file(path)
        reader_of(path)
    return files


def _in_directory(directory: Path, split: str | None) -> Files:
    if (directory / SPLITS).is_file():
        saved = _listed(directory / SPLITS, "splits")
        chosen = _chosen({name: (directory / name,) for name in saved}, directory, split)
        return Files(tuple(_saved(chosen[0])))
    if (directory / STATE).is_file():
        return Files(tuple(_saved(directory)), split)
    for place in (directory, directory / "data"):
        if by_split := _by_split(place):
            return Files(tuple(_chosen(by_split, directory, split)))
    near = chain(directory.glob("*"), directory.glob("*/*"))
    there = sorted(path for path in near if can_be_read(path) and path.is_file())
    remedy = "name a file in it"
    if there:
        named = ", ".join(map(str, there[:MAX_NAMED])) + (", ..." if len(there) > MAX_NAMED else "")
        remedy += f" ({named}), or several by a pattern ({there[0].parent}/*{there[0].suffix})"
    raise InputError(f"{directory}: is a directory; {remedy}")


def _saved(directory: Path) -> list[Path]:
    """The Arrow files of a data set that was saved to disk."""
    paths = [directory / name for name in _listed(directory / STATE, "_data_files")]
    for path in paths:
        require_file(path)
    return paths


def _listed(path: Path, key: str) -> list[str]:
    """The names that one of the files of save_to_disk lists. Raises InputError where it is none of these."""
    require_file(path)
    content = read_json(path)
    listed = content.get(key) if isinstance(content, dict) else None
    found = [
        one.get("filename") if isinstance(one, dict) else one for one in (listed if isinstance(listed, list) else [])
    ]
    # A name with a directory in it would lead elsewhere.
    names = [name for name in found if isinstance(name, str) and name == Path(name).name]
    if not names or len(names) < len(found):
        raise InputError(f"{path}: does not list the {key.strip('_')} of a saved data set; save it again")
    return names


def _by_split(directory: Path) -> dict[str, list[Path]]:
    """The files of a directory whose names say their split: `train.jsonl`, `test-00000-of-00002.parquet`."""
    found: dict[str, list[Path]] = {}
    for path in sorted(directory.glob("*")):
        if can_be_read(path) and path.is_file():
            shard = SHARD.match(path.name)
            name = shard["split"] if shard else path.name.split(".")[0]
            if shard or name in USUAL_SPLITS:
                found.setdefault(name, []).append(path)
    return found


def _chosen(splits: Mapping[str, Sequence[Path]], directory: Path, split: str | None) -> Sequence[Path]:
    """What belongs to a split; without one, to the only one, or to `train` as on the hub."""
    if split is None and len(splits) == 1:
        return next(iter(splits.values()))
    wanted = split or DEFAULT_SPLIT
    if wanted not in splits:
        lacks = f"has no split '{wanted}'" if split else "has several splits"
        raise InputError(f"{directory}: {lacks}; choose with split=NAME (--split NAME): {', '.join(splits)}")
    if len({ending(path) for path in splits[wanted]}) > 1:
        named = ", ".join(path.name for path in splits[wanted][:MAX_NAMED])
        raise InputError(f"{directory}: has split '{wanted}' in several formats ({named}); name one file")
    return splits[wanted]
