"""Where a Dask scheduler is: its address, or the file in which it leaves that."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from segcli import decoding
from segcli.errors import UsageError
from segcli.files.paths import shown

SCHEMES = ("tcp", "tls")
MOST_BYTES = 1 << 20
"""A scheduler's file is a few hundred bytes."""
HINT = "Give tcp://HOST:PORT, tls://HOST:PORT, or the FILE.json that `dask scheduler --scheduler-file` writes."


@dataclass(frozen=True)
class SchedulerAddress:
    """The address of a Dask scheduler.

    Attributes:
        scheme: "tcp", or "tls", by which both sides show certificates and nobody else can listen.
        host: A name or a number.
        port: 1 to 65535.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_open(self) -> bool:
        """Whether other computers may reach it, and nothing keeps them from giving it programs to run."""
        if self.scheme == "tls" or self.host == "localhost":
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name, which may be anybody's
            return True


def parse(text: str) -> SchedulerAddress:
    """The address that a text is, or that the file of that name holds.

    Raises:
        UsageError: It is no address, or there is no such file.
    """
    if "://" in text:
        return _address(text, f"--cluster {shown(text)}")
    if not text.endswith(".json"):
        raise UsageError(f"--cluster {shown(text)}: no address of a Dask scheduler", HINT)
    return _of_file(Path(text))


def _address(text: str, said: str) -> SchedulerAddress:
    try:
        parts = urlsplit(text)
        found = SchedulerAddress(parts.scheme, parts.hostname or "", parts.port or 0)
    except ValueError:
        found = None
    if found is None or found.scheme not in SCHEMES or not (found.host and found.port) or parts.path.strip("/"):
        raise UsageError(f"{said}: no address of a Dask scheduler", HINT)
    if parts.username or parts.password or parts.query:
        raise UsageError(f"{said}: an address of a Dask scheduler is only a host and a port", HINT)
    return found


def _of_file(path: Path) -> SchedulerAddress:
    said = f"--cluster {shown(path)}"
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
        address = decoding.parse_json(data)["address"]
    except FileNotFoundError as error:
        hint = "The scheduler writes it when it starts: wait for it, or give the right file."
        raise UsageError(f"{said}: no such file", hint) from error
    except OSError as error:
        raise UsageError(f"{said}: cannot be read: {error.strerror or error}", HINT) from error
    except (decoding.DecodingError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{said}: not the file of a Dask scheduler", HINT) from error
    return _address(str(address), said)
