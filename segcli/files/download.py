"""Downloads: a file behind a URL, whole or not at all, resumed after a cut, with an eye on the free disk."""

import shutil
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from segcli import __version__
from segcli.errors import WeightsError

CHUNK = 1 << 18
"""The bytes that are read at once."""
TIMEOUT = 30.0
"""The seconds without a byte after which a connection counts as cut."""
RETRIES = 4
"""The number of times that a cut connection is taken up again without a new byte in between."""
PAUSE = 1.0
"""The seconds before the first retry, doubled with each further one."""
LARGEST_FILE = 4 << 30
"""The size in bytes above which a file cannot be one of the manifest's."""
HEADROOM = 64 << 20
"""The bytes of the disk to leave free."""


Progress = Callable[[str, int, int | None], None]
"""A function that is called as bytes arrive, with (name, bytes here so far, bytes in all or None where unknown)."""


class _CutError(Exception):
    """The connection ended before the file did."""


class _SafeRedirects(HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """Refuse to leave https on the way: a plain connection lets anybody exchange the weights."""
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise WeightsError(f"{req.full_url} redirects to an unencrypted address", "Nothing was downloaded.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def require_space(folder: Path, size: int) -> None:
    """Raise WeightsError unless that many bytes fit on the disk that the existing `folder` is on."""
    free = shutil.disk_usage(folder).free
    if free < size + HEADROOM:
        raise WeightsError(
            f"{size / 1e6:.0f} MB do not fit into {folder}, which has {free / 1e6:.0f} MB free",
            "Free some space, or set SEGCLI_CACHE_DIR (HF_HOME for files of the Hub) to another disk.",
        )


def download(url: str, path: Path, progress: Progress | None = None) -> None:
    """Download a file to `path`; what an interrupted call left behind beside it is continued.

    Args:
        url: https://..., or http:// where nobody in between can be harmful (loopback).
        path: Where the file appears once it is complete; its folder is made.
        progress: Called after each piece.

    Raises:
        WeightsError: The server cannot be reached, has no such file, keeps cutting the connection, sends too much,
            or the disk is full.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _complete(url, part, progress)
        part.replace(path)
        _validator_file(part).unlink(missing_ok=True)
    except OSError as error:
        raise WeightsError(f"{path} cannot be written ({error.strerror or error})") from error


def _complete(url: str, part: Path, progress: Progress | None) -> None:
    """Connect until `part` is the whole file; WeightsError after RETRIES without a new byte."""
    retries = 0
    while True:
        before = _size(part)
        try:
            return _receive(url, part, progress)
        except _CutError as error:
            retries = 0 if _size(part) > before else retries + 1
            if retries > RETRIES:
                hint = "Run the command again: it goes on where it stopped."
                raise WeightsError(f"the download of {url} keeps being cut", hint) from error
            time.sleep(PAUSE * 2 ** max(retries - 1, 0))


def _receive(url: str, part: Path, progress: Progress | None) -> None:
    """Append to `part` what one connection brings; _CutError if the file is not complete then."""
    with _open(url, part) as response:
        done, total = _placement(response, _size(part))
        if total > LARGEST_FILE:
            raise _too_large(url)
        require_space(part.parent, total - done)
        if not done:
            part.unlink(missing_ok=True)  # before its validator is replaced: the two must never disagree
        _validator_file(part).write_text(_validator(response), encoding="ascii")
        with part.open("ab") as file:
            while chunk := _read(response):
                done += len(chunk)
                if done > (total or LARGEST_FILE):
                    raise _too_large(url)
                file.write(chunk)
                if progress:
                    progress(url.rpartition("/")[2], done, total or None)
    if done < total:
        raise _CutError


def _open(url: str, part: Path) -> HTTPResponse:
    """Ask for the file from where `part` ends, or from its start if the server's is not the same any more."""
    headers = {"User-Agent": f"segcli/{__version__}", "Accept-Encoding": "identity"}
    validator = _validator_file(part)
    if _size(part) and validator.is_file() and (known := validator.read_text(encoding="ascii")):
        headers |= {"Range": f"bytes={_size(part)}-", "If-Range": known}
    else:
        part.unlink(missing_ok=True)
    try:
        return build_opener(_SafeRedirects).open(Request(url, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and "Range" in headers:
            part.unlink()
            return _open(url, part)
        raise _refused(url, error.code) from error
    except (URLError, TimeoutError, HTTPException, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"cannot reach {urlsplit(url).netloc} ({reason})",
            "Check the network connection, and HTTPS_PROXY if you need a proxy; then run the command again.",
        ) from error


def _placement(response: HTTPResponse, have: int) -> tuple[int, int]:
    """The bytes to keep of those we have, and the bytes of the whole file, 0 if unknown."""
    announced = response.headers.get("Content-Length", "")
    length = int(announced) if announced.isdecimal() else 0
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0, length
    if not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
        raise WeightsError("the server sent another part of the file than it was asked for", "Run the command again.")
    return have, have + length


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(CHUNK)
    except (HTTPException, OSError) as error:  # OSError: reset, timed out, TLS ended early
        raise _CutError from error


def _validator(response: HTTPResponse) -> str:
    """The value for If-Range: a strong ETag or a date, in ASCII as HTTP has it; empty if there is neither."""
    etag, date = (response.headers.get(name, "") for name in ("ETag", "Last-Modified"))
    known = etag if etag.startswith('"') else date
    return known if known.isascii() else ""


def _validator_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _too_large(url: str) -> WeightsError:
    return WeightsError(f"{url} sends more than the file it announced", "Nothing of it is used.")


def _refused(url: str, status: int) -> WeightsError:
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return WeightsError(
            f"{url} is not there any more (HTTP {status})",
            "`segcli models` shows other weights; if you have the file, `segcli weights convert` it.",
        )
    return WeightsError(f"the server refuses {url} (HTTP {status})", "Try again later, or from another network.")
