"""What a run with nothing left to do takes of a bucket with many photos: time, and the memory at its peak.

    python benchmarks/stored.py --photos 1000000

A server on this computer plays S3: one photo is done truly, and all others, their outputs and their lines of the
manifest are made up as they are asked for. So this measures segcli and s3fs, not a store: a real one adds its own time
to each request, of which there are three for a thousand photos.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

from PIL import Image

FIRST = "000/0000000"
"""The name of the photo that is done truly."""
PAGE = 1000


class Bucket:
    """What the server holds.

    Attributes:
        objects: Key -> bytes, of what was put.
        etags: Key -> ETag, of what was put in pieces.
        pieces: The pieces of what is being put so, by its key.
        photos: How many photos there seem to be.
        requests: How many requests came.
    """

    def __init__(self):
        self.objects: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.pieces: dict[str, dict[int, bytes]] = {}
        self.photos = 1
        self.requests = 0

    def name(self, number: int) -> str:
        """A photo's name, without its suffix."""
        return f"{number // 10_000:03}/{number:07}"

    def keys(self, prefix: str, after: str) -> list[str]:
        """A page of the keys in order; `after` is the last one of the page before."""
        keys = [key for key in self.objects if key.startswith(prefix)]
        found = [key for key in keys if key > after and FIRST not in key]
        for pattern in (key for key in keys if FIRST in key):
            begin = self.number_after(pattern, after)
            numbers = range(begin, min(begin + PAGE + 1, self.photos))
            found += [pattern.replace(FIRST, self.name(number)) for number in numbers]
        return sorted(found)[: PAGE + 1]

    def number_after(self, pattern: str, after: str) -> int:
        """The number of the first photo whose key comes after another key."""
        head, tail = pattern.split(FIRST)
        if not after or after < head:
            return 0
        if not after.startswith(head):
            return self.photos
        return int(re.findall(r"\d{7}", after)[-1]) + 1 if after.endswith(tail) else 0

    def facts(self, key: str) -> bytes | None:
        """The bytes that an object has, or would have; of the manifest its first line."""
        return self.objects.get(key) or self.objects.get(re.sub(r"\d{3}/\d{7}", FIRST, key))

    def join(self, key: str) -> None:
        """Make one object of its pieces."""
        pieces = [piece for _, piece in sorted(self.pieces.pop(key).items())]
        digests = b"".join(hashlib.md5(piece, usedforsecurity=False).digest() for piece in pieces)
        self.objects[key] = b"".join(pieces)
        self.etags[key] = f'{etag(digests)[:-1]}-{len(pieces)}"'

    def etag(self, key: str) -> str:
        """The ETag of an object that is there, or seems to be."""
        return self.etags.get(key) or etag(self.facts(key))

    def lines(self, begin: int, end: int) -> Iterator[bytes]:
        """A piece of the manifest of all photos; all its lines have one length."""
        line = self.objects["out/manifest.jsonl"]
        for number in range(begin // len(line), -(-end // len(line))):
            start = number * len(line)
            yield line.replace(FIRST.encode(), self.name(number).encode())[max(begin - start, 0) : end - start]


def handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    """What answers the requests of one connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def key(self) -> str:
            bucket.requests += 1
            return unquote(urlsplit(self.path).path).removeprefix("/bucket").lstrip("/")

        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_GET(self):
            key, asked = self.key(), parse_qs(urlsplit(self.path).query)
            if "list-type" in asked:
                self.list(asked)
            elif key == "out/manifest.jsonl":
                self.manifest()
            elif (data := bucket.facts(key)) is None:
                self.answer(404)
            else:
                self.answer(200, data, ETag=bucket.etag(key))

        def do_HEAD(self):
            key = self.key()
            data = bucket.facts(key)
            if data is None:
                self.answer(404)
            elif key == "out/manifest.jsonl":
                self.send_response(200)
                self.send_header("Content-Length", str(len(data) * bucket.photos))
                self.send_header("ETag", '"several-2"')
                self.end_headers()
            else:
                self.do_GET()

        def manifest(self) -> None:
            whole = len(bucket.objects["out/manifest.jsonl"]) * bucket.photos
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            begin, end = (int(found[1]), int(found[2] or whole - 1) + 1) if found else (0, whole)
            self.send_response(206 if found else 200)
            self.send_header("Content-Length", str(end - begin))
            self.send_header("ETag", '"several-2"')
            self.end_headers()
            for line in bucket.lines(begin, end):
                self.wfile.write(line)

        def list(self, asked: dict[str, list[str]]) -> None:
            prefix, after = asked.get("prefix", [""])[0], asked.get("continuation-token", [""])[0]
            keys = bucket.keys(prefix, after)
            text = io.StringIO()
            text.write(f"<ListBucketResult><IsTruncated>{str(len(keys) > PAGE).lower()}</IsTruncated>")
            if len(keys) > PAGE:
                text.write(f"<NextContinuationToken>{keys[PAGE - 1]}</NextContinuationToken>")
            for key in keys[:PAGE]:
                data = bucket.facts(key)
                text.write(f"<Contents><Key>{quote(key)}</Key><Size>{len(data)}</Size><ETag>{bucket.etag(key)}</ETag>")
                text.write(
                    f"<LastModified>{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}</LastModified></Contents>"
                )
            text.write("<EncodingType>url</EncodingType></ListBucketResult>")
            self.answer(200, text.getvalue().encode())

        def do_PUT(self):
            key, data = self.key(), self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if number := parse_qs(urlsplit(self.path).query).get("partNumber"):
                bucket.pieces[key][int(number[0])] = data
                self.answer(200, ETag=etag(data))
            elif self.headers.get("If-None-Match") == "*" and key in bucket.objects:
                self.answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            else:
                bucket.objects[key] = data
                bucket.etags.pop(key, None)
                self.answer(200, ETag=etag(data))

        def do_POST(self):
            key = self.key()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "uploadId" in parse_qs(urlsplit(self.path).query):
                bucket.join(key)
                self.answer(200, b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
            else:
                bucket.pieces[key] = {}
                upload = b"<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>"
                self.answer(200, upload)

        def do_DELETE(self):
            bucket.objects.pop(self.key(), None)
            self.answer(204)

    return Handler


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def predict(url: str, *options: str) -> tuple[float, float, int]:
    """Run the command; wall seconds, seconds of processor time, and bytes of memory at the peak."""
    command = [
        sys.executable,
        "-m",
        "segcli",
        "predict",
        "s3://bucket/in",
        "-o",
        "s3://bucket/out",
        "--model",
        "street",
    ]
    secrets = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1"}
    begin = time.perf_counter()
    process = subprocess.Popen([*command, *options], env={**os.environ, **secrets, "AWS_ENDPOINT_URL": url})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"segcli predict ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    arguments = parser.parse_args()
    bucket, picture = Bucket(), io.BytesIO()
    Image.new("RGB", (32, 24), (90, 120, 60)).save(picture, "PNG")
    bucket.objects[f"in/{FIRST}.png"] = picture.getvalue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(bucket))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    predict(url)
    _, _, idle = predict(url)
    bucket.photos = arguments.photos
    predict(url)  # puts the tables of all photos
    bucket.requests = 0
    wall, cores, peak = predict(url)
    from measuring import processor  # with torch, whose memory a child would count as its own until it starts

    each = (peak - idle) / arguments.photos
    sys.stdout.write(
        f"{arguments.photos} photos, nothing to do, on {processor()}, load {os.getloadavg()[0]:.1f}: {wall:.1f} s "
        f"({cores:.1f} s of processor time, without the server's), {bucket.requests} requests, peak "
        f"{peak / 1e6:.0f} MB, {idle / 1e6:.0f} MB of it with one photo, {each:.0f} bytes a photo\n"
    )


if __name__ == "__main__":
    main()
