"""Rows in files of every kind that data sets come in."""

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

KINDS = [
    *("x.jsonl", "x.jsonl.gz", "x.jsonl.zst", "x.json", "x.json.gz", "x.parquet", "x.arrow"),
    *("x.csv", "x.csv.gz", "x.csv.zst", "x.tsv", "x.tsv.gz", "lines named x.json", "list named x.jsonl"),
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows in the format that the name says, or, with `lines` or `list` before it, in that one of JSON's."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    if name.endswith((".parquet", ".arrow")):
        return _write_table(path, rows)
    if name.endswith((".csv", ".tsv")):
        raw = _table(rows, "," if name.endswith(".csv") else "\t")
    elif "list" in name or (name.endswith(".json") and "lines" not in name):
        raw = json.dumps(rows, indent=1)
    else:
        raw = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(packed(raw.encode(), path.suffix))
    return path


def packed(raw: bytes, ending: str) -> bytes:
    """Bytes, compressed as a name's ending says."""
    if ending == ".zst":
        import pyarrow

        return pyarrow.compress(raw, "zstd", asbytes=True)
    return gzip.compress(raw) if ending == ".gz" else raw


def _table(rows: list[dict[str, Any]], separator: str) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), delimiter=separator)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)
    return path
