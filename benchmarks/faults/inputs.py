"""Good inputs of the readers that are fuzzed, and words that mean something to them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

import amends

ROW = {"id": "a", "prompt": "How?", "chosen": "So.", "rejected": "No.", "category": "x"}
PAIR = {"prompt": "How?", "response_0": "A", "response_1": "B", "is_response_0_safe": True, "is_response_1_safe": False}
TURNS = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi."}]
CHATS = {"messages": [*TURNS, {"role": "assistant", "content": "Hello."}], "label": "harmless"}
RESULTS = {
    "format_version": 1,
    "model": "m",
    "seed": 0,
    "primary": {"a": "sft/guided", "b": "vanilla/guided", "suite": "redteam", "metric": "harmless_rate"},
    "systems": [
        {
            "method": "vanilla",
            "inference": "guided",
            "suite": "redteam",
            "kind": "red-team",
            "n": 9,
            "harmless_rate": 0.5,
        }
    ],
    "comparisons": [
        {"a": "sft/guided", "b": "vanilla/guided", "suite": "redteam", "metric": "harmless_rate", "difference": 0.1}
        | {"test": "t", "n": 9, "ci": [0.0, 0.2], "primary": True}
    ],
    "judges": {
        "evaluation": {"name": "probe", "sources": {"PKU-SafeRLHF": {}}},
        "agreement": {"equal": 0.5, "rows": 4},
    },
}
MANIFEST = {"state": "finished", "fingerprint": "a", "parts": {"seed": "b"}, "settings": {}, "bytes": 1, "sha256": "c"}
REPLY = {"choices": [{"message": {"content": "Hi.", "refusal": None}, "finish_reason": "stop"}], "usage": {}}
REQUEST = {"model": "m", "messages": TURNS, "max_tokens": 5, "n": 1, "stream": True, "amends_reminder": "on"}
CHUNK = {"choices": [{"index": 0, "delta": {"content": "poison"}, "finish_reason": "stop"}]}
ADDRESS = b"mine@http://me:word@localhost:8000/v1?key=a#prefill=false"
RATING = b'{"explanation": "so", "harmless": 9, "helpful": "3/10"}'
JSON_WORDS = ('"', "\\ud800", "\\u0000", "null", "true", "NaN", "1e999", "[]", "{}", '{"', '":', "-1")
ROW_WORDS = (*ROW, *PAIR, "messages", "role", "content", "user", "assistant", "harmful", "unsafe", "verdict", "draw")
YAML_WORDS = ("&a", "*a", "!!", "<<", "? ", ": ", "- ", "|", "methods", "suites", "train", "guides", "null", "~")


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def arrow_bytes(*rows: dict[str, Any], columns: bool = True) -> bytes:
    sink, table = pyarrow.BufferOutputStream(), pyarrow.Table.from_pylist(list(rows))
    if columns:
        parquet.write_table(table, sink)
    else:
        with pyarrow.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def seeds(directory: str, pattern: str) -> Iterator[bytes]:
    """Files that come with the package."""
    yield from (path.read_bytes() for path in sorted((Path(amends.__file__).parent / directory).glob(pattern)))
