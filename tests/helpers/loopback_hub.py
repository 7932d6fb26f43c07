"""A stand-in for the Hugging Face Hub on loopback, with the headers that huggingface_hub asks for and its failures.

ROOT/<owner>/<name>/<file> is served as that repository's file at `main` and at any 40-digit revision; any other path
is served as a plain file below ROOT, for downloads by URL. As a script it serves until interrupted:

    python tests/helpers/loopback_hub.py ../shared/data/hub
    HF_ENDPOINT=http://127.0.0.1:PORT segcli predict photos/

In a test:

    with loopback_hub.serve(root) as hub:
        hub.faults["google/model"] = "gated"
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import unquote

COMMIT = "5282e0e" + "0" * 33
"""What `main` resolves to."""
RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
REFUSALS = {
    "gated": (HTTPStatus.FORBIDDEN, "GatedRepo"),
    "unauthorised": (HTTPStatus.UNAUTHORIZED, "GatedRepo"),
    "no-repository": (HTTPStatus.NOT_FOUND, "RepoNotFound"),
    "no-revision": (HTTPStatus.NOT_FOUND, "RevisionNotFound"),
    "no-entry": (HTTPStatus.NOT_FOUND, "EntryNotFound"),
    "down": (HTTPStatus.SERVICE_UNAVAILABLE, None),
}


class Hub(ThreadingHTTPServer):
    """The server; see the module's docstring.

    Attributes:
        root: The folder that it serves.
        faults: What goes wrong, by a part of the path ("owner/name", "model.bin", "" for everything): a key of
            REFUSALS, "flip" (the right size, wrong bytes), "cut" (the connection ends half-way, always), "cut-once"
            (only the first time), "no-range" (Range is ignored), "endless" (no length, twice the bytes), "for-ever" (no
            length, no end), "chunked" (in chunks, without a length; the first time half of it), "trickle" (a byte now
            and then), "mute" (never a word), "packed" (a Content-Encoding) or "misplaced" (another range than asked).
        etags: The ETag of a file, by a part of the path, instead of the sha256 of its content in quotation marks.
        requests: (method, path, Range or "", Authorization or "") of each request so far.
    """

    daemon_threads = True

    def __init__(self, root: Path, port: int = 0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.root = root.resolve()
        self.faults: dict[str, str] = {}
        self.etags: dict[str, str] = {}
        self.requests: list[tuple[str, str, str, str]] = []
        self.over = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def fault(self, path: str) -> str:
        return next((fault for part, fault in self.faults.items() if part in path), "")

    def heal(self, path: str) -> None:
        self.faults = {part: fault for part, fault in self.faults.items() if part not in path}

    def handle_error(self, request, client_address) -> None:
        """A client that hangs up is part of the tests, not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *args) -> None:
        """The test's output belongs to the test."""

    def _answer(self, body: bool) -> None:
        path = unquote(self.path).split("?")[0]
        entry = (self.command, path, self.headers.get("Range", ""), self.headers.get("Authorization", ""))
        self.server.requests.append(entry)
        fault = self.server.fault(path)
        if fault == "mute":
            return self._trickle()
        if fault in REFUSALS:
            return self._refuse(*REFUSALS[fault])
        match = RESOLVE.fullmatch(path)
        if not match:
            return self._send(self.server.root / path.lstrip("/"), {}, fault, body)
        repository = self.server.root / match["repo"]
        pinned = re.fullmatch("[0-9a-f]{40}", match["revision"])
        if not repository.is_dir():
            return self._refuse(*REFUSALS["no-repository"])
        if match["revision"] != "main" and not pinned:
            return self._refuse(*REFUSALS["no-revision"])
        commit = match["revision"] if pinned else COMMIT
        return self._send(repository / match["file"], {"X-Repo-Commit": commit}, fault, body)

    def _refuse(self, status: HTTPStatus, code: str | None) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, file: Path, headers: dict[str, str], fault: str, body: bool) -> None:
        if not file.resolve().is_relative_to(self.server.root) or not file.is_file():
            return self._refuse(*REFUSALS["no-entry"])
        content = file.read_bytes()
        true = f'"{hashlib.sha256(content).hexdigest()}"'
        etag = next((etag for part, etag in self.server.etags.items() if part in self.path), true)
        start = 0 if fault == "no-range" else self._range_start(etag)
        if start > len(content) or (start and start == len(content)):
            return self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, None)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK)
        for name, value in (headers | {"ETag": etag, "Accept-Ranges": "bytes"}).items():
            self.send_header(name, value)
        if start:
            first = start - 1 if fault == "misplaced" else start
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if fault == "packed":
            self.send_header("Content-Encoding", "gzip")
        if fault in ("endless", "for-ever"):
            self.send_header("Connection", "close")
        elif fault == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if body:
            self._send_body(content, start, fault)
        return None

    def _trickle(self) -> None:
        """A byte of a header or a body now and then, until the server ends or the client goes."""
        with suppress(OSError):
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")
        self.close_connection = True

    def _range_start(self, etag: str) -> int:
        match = re.fullmatch(r"bytes=(\d+)-\d*", self.headers.get("Range", ""))
        unchanged = self.headers.get("If-Range", etag) == etag
        return int(match[1]) if match and unchanged else 0

    def _send_body(self, content: bytes, start: int, fault: str) -> None:
        if fault == "chunked":
            half = content[start : start + len(content) // 2]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(half), half))
            if start:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = True
        elif fault == "trickle":
            self._trickle()
        elif fault == "for-ever":
            with suppress(OSError):
                while True:
                    self.wfile.write(content)
        elif fault in ("cut", "cut-once"):
            self.wfile.write(content[start : start + (len(content) - start) // 2])
            self.close_connection = True
            if fault == "cut-once":
                self.server.heal(self.path)
        elif fault == "flip":
            self.wfile.write(content[start:-1] + bytes([content[-1] ^ 0xFF]))
        elif fault == "endless":
            self.wfile.write(content * 2)
            self.close_connection = True
        else:
            self.wfile.write(content[start:])


@contextmanager
def serve(root: Path, port: int = 0) -> Iterator[Hub]:
    """A running Hub over that folder; it stops at the end of the `with` block."""
    with Hub(root, port) as hub:
        thread = Thread(target=partial(hub.serve_forever, poll_interval=0.02), daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.over.set()
            hub.shutdown()
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    with Hub(arguments.root, arguments.port) as hub:
        sys.stdout.write(f"HF_ENDPOINT={hub.url}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            hub.serve_forever()


if __name__ == "__main__":
    main()
