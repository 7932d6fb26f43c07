import io
import zlib
from base64 import b64decode

import numpy as np
import pytest
from tensor_bundle_files import HEADER, block, bundle, entry, field, masked, slow_crc32c, table, varint

from segcli.errors import WeightsError
from segcli.weights import tensorflow_bundle

# variables.index of Spotify's basic-pitch 0.4.0 (Apache-2.0), which TensorFlow wrote; of its data the first 16 bytes.
TENSORFLOWS_OWN = (
    "eNqtl39ME2cYx+8olLMyC7R1TqpcS9EmgLWlh8sMfxRGkA0FSoUwltWTXeAmLaQcReYfq8tQjAh1G5nZFmEMJy5msgUcU2YawzbiEmMW3NRtmcLI"
    "mMgPN10QCtv7vrARMmLfejY5SJp+vs/37vs87/seQUgpcm0IRRLqKHv6toz053NzsnbYLGnZGfactOcy0m32TKsldxsVHk3QHR0R+rpDJJPczXgI"
    "s3wP52Kr7Gwlb3BwgosvqTJsNpRUVDsFwyaLzWbNSttpy8g3FFisWUiuwJK9M4Migc77TaH6UOb+/vEKJS0XKgS2PBBxDBFp3Uet0Vq5Ea9Ke9BV"
    "WhGRKlkdD6qY8KqcDrpKByKIi9MxoEoyXpWuoKt0IqI8PqGNMEeVs7Wcy17DC2X2Go4vLROqkjYbdnMC+3CV0GjQGDTUKUg6fTWGUeTk2rK2Z72Q"
    "YbXnZ+fYDBWVAu/gX+VcBgeOUC+yNJE5HmVWK9w4xL33KECc1J4hVbS8lHU4cAwD4q7kt3NqsXZ7kN3WP/d6GUy7k8ju0PD6ImLr8s/cUeHmnaV2"
    "B8c6cQSh3PjKd/ep46LcrItnnSUcDhYBsObLujGFRmE07ObZqsAQRXtvk3qa8WrP9ogMmqJ9D8KA1LBxzR68oCl6qk4GCJP7Hq/SxIJ1xckFaPBI"
    "gEnAtRHiSCJS77lNMqkx2gvrGM2j+v+/rA90ARTOD8l9IkWtcQfLT4GegPzAhPE6yMOEOXYUfQXlsf/vr2+IzsMzDfNI2HhNhZtHzwGYR8zPRS0q"
    "WoE5eBTdiSz3lodNq8Vavola6KW+forBtHwMWb5kublGtUER1JxR9CQy/k6hD0yaAn/SwNCMQpDJOzdImBXLTHwy5viR9JW7cOHqPPOVWfQ66/NI"
    "gdTwyJZE3HV2qkEGiOKnRo6oNDTu+IUtXBSS6ARPolXKbG2Ki17H0GLmb6luK+hdoNs+o/WlqGl3sPg10BUANyYKqxUapRkzDpoeaAvRe0imQZv2"
    "VgyjFJMHTfd9KoVaXacGebNa6cZB/F/KIJL3Q0NvEImEL1zk/C2AjvIYmalLiWdFJrJUtw+0F9CNPD/4Ol4iS3E/6DWAC5vW7gKJMPiJjErgI9k+"
    "Eq8Tn8h0ONTSxq3fhZ3IgQiIuIovNqo0mkeZEXALH4Km6ieZVbFeC2HVLLNeMIZ/lR/XBIGb/UyKqkYfSW3E28GW8v4LMsRfVka/CBJLwdzBwO2O"
    "ocQINxcnPjE/SqzW7C3GTqweJfa9igWbmBJzEwOu7yDXLW5biFq06xnk2loZYmdwXR9Eroe4V5pVG5RB7WPA+zjy/tOp2cPqOCX+RgbICUS6fR9/"
    "Dk4pW7C3rYE6eEguy25/IHrb6nsTHndX0cd34G5b/uPwpDs1JNUHuUjCIxo9738S3LeK+cI053wMi+Sibt9sONT97kbbffxFchH3H4qAuND/5K3l"
    "DxZPYyfkb4QJffJG5wnRCd1B7zfFJ2tqcBNq74AJXc1+rSuIhCQLl2Z+Bwcd1r6COdhdPScyoaW6/aDdgK6hKKkEL6GluKclAuKp3c12IkG+6AMu"
    "jnZjoLfzevRuOTv6zS9ytdwU6NcN6Nfnx6avy2j5y1wJWxuI8CLio31Rz8hi5bwAfD0EWAEADwAopunWiVKZXl7OsS4nXHdcrMAFKvU2KsXvDa0n"
    "wKdQQhBZ4QRRu5Ig2uQEEQa/nHN9mwf/k/CP748POglSUkn8qvvvO82zUtPvOuovnZwI+Cmc8RzWVWf++A9iW/Yb"
)
TENSORFLOWS_OWN_DATA = bytes.fromhex("66faf93e59c8bc3e0f8b003fcc8f1a3d")
# cramjam's (Google's snappy's) compression of SNAPPY_PLAIN: a literal, copies with one- and two-byte offsets, overlap.
SNAPPY_PLAIN = (
    b"aspp0/BatchNorm/beta aspp0/BatchNorm/gamma aspp1_depthwise/BatchNorm/beta " * 2 + b"zzzzzzzzzzzzzzzzzzzz"
)
SNAPPY = bytes.fromhex(
    "a8015061737070302f42617463684e6f726d2f62657461203e15000c67616d6d091628315f6465707468776973657e3500e64a00007a4a0100"
)


@pytest.fixture
def tensors():
    generator = np.random.default_rng(0)
    shapes = {"a/weights": (3, 3, 5, 7), "a/BatchNorm/gamma": (7,), "logits/semantic/biases": (21,), "empty": (0, 4)}
    found = {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return found | {"global_step": np.array(30000, np.int64), "half": np.array([1.5, -2], np.float16)}


def read(index, data):
    return tensorflow_bundle.read(index, io.BytesIO(data))


def test_tensors_come_back_bit_for_bit(tensors):
    back = read(*bundle(tensors))
    assert {n: (a.dtype, a.shape, a.tobytes()) for n, a in back.items()} == {
        n: (a.dtype, a.shape, a.tobytes()) for n, a in tensors.items()
    }


def test_hundreds_of_tensors_span_blocks_and_restart_points():
    many = {f"xception_65/middle_flow/block1/unit_{i}/weights": np.full((i % 5,), i, np.float32) for i in range(300)}
    back = read(*bundle(many))
    assert back.keys() == many.keys()
    assert all(np.array_equal(back[name], many[name]) for name in many)


def test_an_index_written_by_tensorflow_is_understood_and_its_checksums_hold():
    index = zlib.decompress(b64decode("".join(TENSORFLOWS_OWN)))
    with pytest.raises(WeightsError, match=r"checksum of layer_with_weights-0/gamma/.ATTRIBUTES/VARIABLE_VALUE is wr"):
        read(index, bytes(219309))
    # The first four tensors are one float each, and the fifth, a kernel at byte 16, is the first to be zero wrongly.
    with pytest.raises(WeightsError, match=r"checksum of layer_with_weights-1/kernel/.ATTRIBUTES/VARIABLE_VALUE is wr"):
        read(index, TENSORFLOWS_OWN_DATA.ljust(219309, b"\0"))


def test_an_index_block_compressed_with_snappy_is_read(tensors):
    def literals_only(content):
        pieces = [content[i : i + 60] for i in range(0, len(content), 60)]
        return varint(len(content)) + b"".join(bytes([len(piece) - 1 << 2]) + piece for piece in pieces)

    assert read(*bundle(tensors, compress=literals_only)).keys() == tensors.keys()


def test_snappy_matches_the_original_compressor():
    assert tensorflow_bundle.snappy(SNAPPY) == SNAPPY_PLAIN


@pytest.mark.parametrize("cut", [1, 2, 20, len(SNAPPY) - 1])
def test_damaged_snappy_is_refused(cut):
    with pytest.raises((ValueError, IndexError)):
        tensorflow_bundle.snappy(SNAPPY[:cut])


@pytest.mark.parametrize("length", [0, 1, 3, 4, 15, 16, 17, 1000, 4099])
def test_checksum_equals_the_bitwise_definition(length):
    data = np.random.default_rng(length).bytes(length)
    assert tensorflow_bundle.crc32c(data) == slow_crc32c(data)


def test_checksum_of_the_published_vectors():
    assert tensorflow_bundle.crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4, and the next two
    assert tensorflow_bundle.crc32c(bytes(32)) == 0x8A9136AA
    assert tensorflow_bundle.crc32c(bytes(range(32))) == 0x46DD794E


def one(array=None, offset=0, crc=None, header=HEADER, extra=b"", name=b"w"):
    array = np.arange(4, dtype=np.float32) if array is None else array
    crc = slow_crc32c(array.tobytes()) if crc is None else crc
    return table([header, (name, entry(array, offset, crc, extra))]), array.tobytes()


def test_the_plain_single_tensor_is_read():
    assert read(*one())["w"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("index", "data", "message"),
    [
        pytest.param(one()[0], one()[1][:-1], "data file ends within w", id="data cut short"),
        pytest.param(one()[0], bytes(16), "checksum of w is wrong", id="data damaged"),
        pytest.param(one()[0][:-1], one()[1], "no table footer", id="index cut short"),
        pytest.param(b"", b"", "no table footer", id="empty index"),
        pytest.param(bytes([one()[0][0] ^ 1]) + one()[0][1:], one()[1], "checksum is wrong", id="index damaged"),
        pytest.param(*one(header=(b"", field(1, 2))), "exactly one part", id="two shards"),
        pytest.param(*one(header=(b"", field(1, 1) + field(2, 1))), "big-endian", id="big-endian"),
        pytest.param(*one(extra=field(7, b"")), "not supported", id="partitioned variable"),
        pytest.param(*one(offset=1 << 40), "data file is cut short", id="offset far behind the end"),
        pytest.param(*one(name=b"\xff"), "damaged", id="name that is no text"),
        pytest.param(table([HEADER, (b"w", b"\x0a\xff")]), b"", "cut short", id="entry cut short"),
        pytest.param(table([HEADER, (b"w", b"\x80" * 11)]), b"", "64 bits", id="endless number"),
        pytest.param(table([HEADER, (b"w", field(1, 8))]), b"", "not supported", id="complex numbers"),
        pytest.param(table([HEADER, (b"b", b""), (b"a", b"")]), b"", "not in order", id="keys out of order"),
    ],
)
def test_damaged_or_hostile_files_are_refused(index, data, message):
    with pytest.raises(WeightsError, match=message):
        read(index, data)


def test_a_shape_that_does_not_fit_its_bytes_is_refused():
    huge = field(1, 1) + field(2, field(2, field(1, 1 << 40))) + field(5, 16)
    with pytest.raises(WeightsError, match="16 bytes for the shape"):
        read(table([HEADER, (b"w", huge)]), bytes(16))


def test_tensors_that_overlap_are_refused(tensors):
    array = np.zeros(4, np.float32)
    message = entry(array, 0, slow_crc32c(array.tobytes()))
    with pytest.raises(WeightsError, match="overlaps"):
        read(table([HEADER, (b"a", message), (b"b", message)]), bytes(32))


def test_one_block_named_endlessly_is_refused():
    content = block([HEADER, *((f"{i}".encode(), b"") for i in range(3))])
    stored = content + b"\0"
    out = bytearray(stored + masked(slow_crc32c(stored)))
    handle = varint(0) + varint(len(content))
    index = block([(f"{i:06}".encode(), handle) for i in range(10000)])
    place = len(out)
    out += index + b"\0" + masked(slow_crc32c(index + b"\0"))
    footer = handle + varint(place) + varint(len(index))
    with pytest.raises(WeightsError, match="not in order"):
        read(bytes(out) + footer.ljust(40, b"\0") + tensorflow_bundle.MAGIC, b"")


def test_strings_are_left_out():
    text = field(1, 7) + field(2, b"") + field(5, 3)
    array = np.ones(2, np.float32)
    message = entry(array, 3, slow_crc32c(array.tobytes()))
    assert list(read(table([HEADER, (b"_GRAPH", text), (b"w", message)]), b"abc" + array.tobytes())) == ["w"]
