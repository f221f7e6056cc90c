"""The commands of a whole experiment where there is no network but loopback, with keys that must stand nowhere.

    sudo python -m benchmarks.faults.offline [--model tiny|embedded] [--json]

A namespace of Linux (`unshare --net`) has no interface. In it the tiny model, or quickstart, is run, judged by a server
on loopback, shown, exported and labelled. Whoever looks up or connects to anything else is noted. At the end all
files, messages and fingerprints are searched for the keys, plain and as they are sent.
"""

import argparse
import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

KEYS = {
    "OPENAI_API_KEY": "sk-amends-4c1fb0a97d2e",
    "HF_TOKEN": "hf_amends-81b2c0d93e5f",
    "HUGGING_FACE_HUB_TOKEN": "hf_amends-2d7e61f0c4b8",
    "AMENDS_SERVE_KEYS": "serve-amends-9a3f5c7e1b20d4",
}
PASSWORD = "word-amends-6e0c2a4f8b"
LOCAL = ("127.", "::1", "localhost")


def commands(model: list[str], out: Path, judge: str) -> Iterator[list[str]]:
    """A run, and what is done with it."""
    run = out / "run"
    yield ["run", *model, f"judge={judge}", "--out", str(run)]
    yield ["run", *model, f"judge={judge}", "--out", str(run)]  # which finds all of it finished
    yield ["doctor", *model, f"judge={judge}", "--out", str(run)]
    yield ["report", str(run), "--markdown"]
    yield ["why", str(run), "redteam-000", "--full"]
    yield ["label", str(run), "--rows", "4", "--out", str(out / "labels.jsonl")]
    yield ["export", str(run), "--method", "mistake-analysis", "--out", str(out / "merged")]
    yield ["run", *model, "judge=endpoint:refusing@http://127.0.0.1:9/v1", "--out", str(out / "no-server")]
    yield ["run", *model, "model=somebody/nothing", "--out", str(out / "no-hub")]


def inside(model: str) -> dict[str, Any]:
    """In the namespace: runs everything, and returns what was tried and where keys stand."""
    from benchmarks.faults.runs import configuration, run_amends
    from local_server import Server

    tried: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            host = str(arguments[1][0])
        elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
            host = str(arguments[0])
        else:
            return
        if not host.startswith(LOCAL):
            tried.append(f"{event} {host}")

    directory = Path(tempfile.mkdtemp(prefix="amends-offline-"))
    os.environ |= KEYS | {"AMENDS_CACHE": str(directory / "cache")}
    sys.addaudithook(hook)
    rating = json.dumps({"explanation": "It is polite.", "harmless": 9, "helpful": 5})
    server = Server(lambda question, body: (200, rating))
    address = server.url.replace("http://", f"http://me:{PASSWORD}@")
    said = io.StringIO()
    codes: dict[str, int] = {}
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for command in commands(configuration(model, directory / "made"), directory / "out", f"endpoint:m@{address}"):
            before = len(tried)
            codes[f"{len(codes)} {command[0]}"] = run_amends(*command)
            if "somebody/nothing" in " ".join(command):  # a user who names a model of the hub has it looked up
                del tried[before:]
    (directory / "said").write_text(said.getvalue())
    return {"codes": codes, "tried": tried, "asked": len(server.requests), "keys": where_keys_stand(directory)}


def where_keys_stand(directory: Path) -> list[str]:
    """Files with a secret in them, whatever its form."""
    login = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    secrets = [form.encode() for one in (*KEYS.values(), PASSWORD, login) for form in {one, quote(one, safe="")}]
    files = (path for path in directory.rglob("*") if path.is_file())
    return [str(path.relative_to(directory)) for path in files if any(one in path.read_bytes() for one in secrets)]


def loopback() -> None:
    """Brings it up."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("tiny", "embedded"), default="tiny", help="what is run (tiny)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        command = [sys.executable, "-m", "benchmarks.faults.offline", "--inside", "--model", options.model]
        return subprocess.run(["unshare", "--net", *command, *(["--json"] if options.json else [])]).returncode
    loopback()
    found = inside(options.model)
    print(json.dumps(found, indent=2) if options.json else "\n".join(f"{name}: {one}" for name, one in found.items()))
    return int(bool(found["tried"] or found["keys"]))


if __name__ == "__main__":
    sys.exit(main())
