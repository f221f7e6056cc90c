"""A local stand-in of the hub: as much of its interface as one commit of files needs, with accounts and refusals."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

KEY, READING = "hf_writes", "hf_reads"


class Hub:
    """A hub with one owner, `me`. Weights are sent to its large file storage, everything else within the commit.

    Attributes:
        repositories: by name, whether it is private and its files.
        paths: of all requests.
        fails: a path's part, and the status and message that it is answered with.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Any]] = {}
        self.stored: dict[str, bytes] = {}
        self.paths: list[str] = []
        self.fails: tuple[str, int, str] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                path = urlsplit(self.path).path
                outer.paths.append(path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                key = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                status, reply, headers = outer.answer(self.command, path, body, key)
                content = json.dumps(reply).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = _answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, verb: str, path: str, body: bytes, key: str) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers."""
        if self.fails and self.fails[0] in path:
            return self.fails[1], {"error": self.fails[2]}, {"X-Error-Message": self.fails[2]}
        if path.startswith("/storage/"):  # by an address that is its own key
            self.stored[path.removeprefix("/storage/")] = body
            return 200, {}, {}
        if key not in (KEY, READING):
            return 401, {"error": "Invalid credentials in Authorization header"}, {}
        if path == "/api/repos/create":
            return self._create(json.loads(body), key)
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}, {}
        if found := re.fullmatch(r"/(?:api/models/)?([\w.-]+/[\w.-]+?)(?:\.git/info/lfs/objects)?(/.*)?", path):
            repo, rest = found[1], (found[2] or "").partition("/main")[0]
            if repo in self.repositories:
                return self._of_repository(repo, rest, body)
        return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}

    def _create(self, asked: dict[str, Any], key: str) -> tuple[int, Any, dict[str, str]]:
        repo = f"{asked['organization']}/{asked['name']}"
        if key != KEY or asked["organization"] != "me":
            return 403, {"error": "You don't have the rights"}, {}
        if repo in self.repositories:
            return 409, {"error": "You already created this model repo", "url": f"{self.url}/{repo}"}, {}
        self.repositories[repo] = {"private": asked.get("visibility") == "private", "files": {}}
        return 200, {"url": f"{self.url}/{repo}"}, {}

    def _of_repository(self, repo: str, rest: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        there = self.repositories[repo]
        if rest == "":
            return 200, {"id": repo, "private": there["private"], "tags": [], "siblings": []}, {}
        if rest == "/preupload":
            names = [one["path"] for one in json.loads(body)["files"]]
            modes = {name: "lfs" if name.endswith(".safetensors") else "regular" for name in names}
            return 200, {"files": [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in modes.items()]}, {}
        if rest == "/batch":
            objects = json.loads(body)["objects"]
            ways = [{"upload": {"href": f"{self.url}/storage/{one['oid']}"}} for one in objects]
            given = [one | {"actions": way} for one, way in zip(objects, ways, strict=True)]
            return 200, {"transfer": "basic", "objects": given}, {}
        if rest == "/commit":
            for line in body.splitlines():
                said = json.loads(line)
                value = said["value"]
                if said["key"] == "file":
                    there["files"][value["path"]] = base64.b64decode(value["content"])
                if said["key"] == "lfsFile":
                    content = self.stored[value["oid"]]
                    assert hashlib.sha256(content).hexdigest() == value["oid"]
                    there["files"][value["path"]] = content
            return 200, {"commitUrl": f"{self.url}/{repo}/commit/{'0' * 40}", "commitOid": "0" * 40}, {}
        return 404, {"error": "no such address"}, {}
