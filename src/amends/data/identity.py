"""What a set of rows is, for fingerprints: which rows of which files."""

from pathlib import Path
from typing import Any

from amends.data.settings import DataSettings
from amends.data.sources import BUNDLED_PREFIX, source_files
from amends.errors import InputError
from amends.storage.files import file_digest


def identity(rows: DataSettings, out: Path | None = None) -> dict[str, Any]:
    """What a set is, for fingerprints: which rows of it are taken, and hashes of its files.

    A file of the user's counts by its content, so that it can be moved; a bundled set and one of the hub by their
    names.

    Raises InputError where `out`, which will be written from these rows, is one of the files.
    """
    files = source_files(rows.source, rows.split)
    if out and out.resolve() in [path.resolve() for path in files]:
        raise InputError(f"{out}: is read here, and would be replaced; choose another output")
    named = not files or rows.source.startswith(BUNDLED_PREFIX)
    # These count only where there are any: what was made before they existed stays finished.
    unset = {name for name in ("where", "draw") if getattr(rows, name) is None}
    taken = rows.model_dump(mode="json", exclude={"source", "kind"} | unset)
    return {
        "rows": taken | ({"source": rows.source} if named else {}),
        "inputs": [file_digest(path) for path in files],
    }
