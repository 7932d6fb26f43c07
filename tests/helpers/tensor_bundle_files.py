"""Writes TensorFlow's checkpoints as format.h, block_builder.cc and tensor_bundle.proto specify them."""

import gzip
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

NUMBERS = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "float16": 19}
RESTART_INTERVAL = 16
INDEX, DATA = "model.ckpt.index", "model.ckpt.data-00000-of-00001"


def slow_crc32c(data: bytes) -> int:
    """Bit by bit, as the polynomial is defined: an oracle for the fast one."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(crc: int) -> bytes:
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    return varint(number << 3 | 2) + varint(len(value)) + value


def entry(array: np.ndarray, offset: int, crc: int, extra: bytes = b"") -> bytes:
    shape = b"".join(field(2, field(1, side)) for side in array.shape)
    head = field(1, NUMBERS[array.dtype.name]) + varint(2 << 3 | 2) + varint(len(shape)) + shape
    return head + field(4, offset) + field(5, array.nbytes) + varint(6 << 3 | 5) + masked(crc) + extra


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    out, restarts, last = bytearray(), [], b""
    for count, (key, value) in enumerate(entries):
        shared = 0
        if count % RESTART_INTERVAL == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(last), len(key)) and last[shared] == key[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return bytes(out) + b"".join(n.to_bytes(4, "little") for n in [*(restarts or [0]), len(restarts or [0])])


def table(entries: list[tuple[bytes, bytes]], compress: Callable[[bytes], bytes] | None = None, per_block=40) -> bytes:
    out = bytearray()

    def put(content: bytes) -> bytes:
        stored = (compress(content) + b"\1") if compress else (content + b"\0")
        handle = varint(len(out)) + varint(len(stored) - 1)
        out.extend(stored + masked(slow_crc32c(stored)))
        return handle

    groups = [entries[i : i + per_block] for i in range(0, len(entries), per_block)]
    index = [(group[-1][0], put(block(group))) for group in groups]
    footer = put(block([])) + put(block(index))
    return bytes(out) + footer.ljust(40, b"\0") + 0xDB4775248B80FB57.to_bytes(8, "little")


HEADER = (b"", field(1, 1) + field(3, field(1, 1)))


def bundle(tensors: Mapping[str, np.ndarray], crc=slow_crc32c, **options) -> tuple[bytes, bytes]:
    """(index, data) of a checkpoint."""
    data, entries = bytearray(), [HEADER]
    for name in sorted(tensors):
        content = tensors[name].tobytes()
        entries.append((name.encode(), entry(tensors[name], len(data), crc(content))))
        data += content
    return table(entries, **options), bytes(data)


def tar_gz(path: Path, members: Mapping[str, bytes]) -> Path:
    """An archive of plain files in that order."""
    with gzip.open(path, "wb", compresslevel=0) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
