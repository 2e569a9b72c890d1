"""A small Hub on 127.0.0.1, made of local folders: enough of its API for the real clients.

    with FakeHub({"models/openai-community/gpt2": folder, "datasets/owner/set": folder}) as hub:
        HF_ENDPOINT=hub.address python ...        snapshot_download and load_dataset run their code
        hub.mode = "429"                          from now on every answer is this

Modes: "well"; an HTTP status ("401", "404", "429", "503"), for the API and the files; "silent"
(takes the connection and says nothing), "mute" (so does the API, but the front page is up);
"slow" (a file comes in eight pieces), "stalls" (after the first piece nothing more comes).
With 429 and 503 it asks for five minutes of patience, as the Hub does.
"""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub:
    """A context; `address` is its HF_ENDPOINT, `asked` every (method, path), `mode` see above."""

    def __init__(self, repos: dict[str, Path]) -> None:
        self.repos, self.mode = repos, "well"
        self.asked: list[tuple[str, str]] = []
        self.over = threading.Event()  # ends what is silent
        hub = self

        class Handler(_Handler):
            fake = hub

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> "FakeHub":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def find(self, path: str) -> tuple[str, str, Path, str] | None:
        """(kind/owner/name, what is asked of it, its folder, the rest) of a URL's path."""
        whole = path.removeprefix("/api/").removeprefix("/")
        for repo, folder in self.repos.items():
            for name in (repo, repo.removeprefix("models/")):
                if whole == name or whole.startswith(name + "/"):
                    word, _, rest = whole[len(name) + 1 :].partition("/")
                    return repo, word, folder, rest
        return None


class _Handler(BaseHTTPRequestHandler):
    fake: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.fake.asked.append((self.command, path))
        if path == "/" and self.fake.mode != "silent":  # the front page is up whatever the API does
            return self._send(200, b"")
        if self.fake.mode in ("silent", "mute"):
            self.fake.over.wait(120)
            self.close_connection = True
            return None
        if self.fake.mode.isdigit():
            return self._refuse(int(self.fake.mode))
        found = self.fake.find(path)
        if found is None:
            return self._refuse(401)  # so the Hub answers whoever has not logged in
        repo, word, folder, rest = found
        if word in ("", "revision"):
            siblings = [{"rfilename": name} for name in _files(folder)]
            return self._json({"id": repo.partition("/")[2], "sha": COMMIT, "siblings": siblings})
        if word == "tree":
            return self._json(_tree(folder, rest))
        if word == "paths-info":
            asked = json.loads(self.body)["paths"]
            return self._json([row for row in _tree(folder, "") if row["path"] in asked])
        if word == "resolve":
            return self._file(folder / rest.partition("/")[2], rest.partition("/")[0])
        return self._refuse(404)

    def _file(self, path: Path, revision: str) -> None:
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        content = path.read_bytes()
        commit = revision if len(revision) == len(COMMIT) else COMMIT
        self._send(200, content, {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": commit})

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str = "") -> None:
        code = code or {401: "RepoNotFound", 403: "GatedRepo", 404: "RepoNotFound"}.get(status, "")
        headers = {"X-Error-Code": code} if code else {}
        if status in (429, 503):
            headers |= {"Retry-After": "300", "RateLimit": '"api";r=0;t=300'}
        self._send(status, b'{"error": "no"}', headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        pause = {"slow": 0.2, "stalls": 120}.get(self.fake.mode, 0)
        pause, size = (pause, len(content) // 8 + 1) if len(content) > 10_000 else (0, len(content))
        for first in range(0, len(content), size or 1):
            self.wfile.write(content[first : first + size])
            self.wfile.flush()
            if pause and self.fake.over.wait(pause):
                self.close_connection = True
                return


def _files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def _oid(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _tree(folder: Path, rest: str) -> list[dict[str, Any]]:
    """Every file and folder, below a folder of it if `rest` (revision/folder) names one."""
    below = rest.partition("/")[2]
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if below and not name.startswith(below + "/"):
            continue
        if path.is_dir():
            rows.append({"type": "directory", "path": name, "oid": "0" * 40, "size": 0})
        else:
            content = path.read_bytes()
            rows.append({"type": "file", "path": name, "oid": _oid(content), "size": len(content)})
    return rows
