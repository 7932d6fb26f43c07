import shutil

import loopback_hub
import pytest

from segcli.errors import WeightsError
from segcli.files import download, pace

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "server"
    root.mkdir()
    (root / "weights.pth").write_bytes(CONTENT)
    with loopback_hub.serve(root) as hub:
        yield hub


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "entry" / "weights.pth"


def left_behind(target):
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.is_dir() else []


def test_a_file_arrives_whole_with_its_progress(server, target):
    seen = []
    download.download(f"{server.url}/weights.pth", target, lambda *step: seen.append(step))
    assert target.read_bytes() == CONTENT
    assert left_behind(target) == ["weights.pth"]
    assert {(name, total) for name, _, total in seen} == {("weights.pth", len(CONTENT))}
    done = [done for _, done, _ in seen]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)


def test_a_cut_connection_is_taken_up_where_it_ended(server, target):
    server.faults["weights.pth"] = "cut-once"
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT
    assert [ask for _, _, ask, _ in server.requests] == ["", f"bytes={len(CONTENT) // 2}-"]


def test_a_later_run_goes_on_where_an_earlier_one_gave_up(server, target):
    server.faults["weights.pth"] = "cut"
    with pytest.raises(WeightsError, match="keeps being cut") as caught:
        download.download(f"{server.url}/weights.pth", target)
    assert "goes on where it stopped" in caught.value.hint
    here = (target.parent / "weights.pth.part").stat().st_size
    server.heal("weights.pth")
    download.download(f"{server.url}/weights.pth", target)
    assert server.requests[-1][2] == f"bytes={here}-"
    assert here > len(CONTENT) // 2
    assert target.read_bytes() == CONTENT
    assert left_behind(target) == ["weights.pth"]


def test_a_file_that_changed_meanwhile_is_downloaded_anew(server, target):
    server.faults["weights.pth"] = "cut"
    with pytest.raises(WeightsError):
        download.download(f"{server.url}/weights.pth", target)
    server.heal("weights.pth")
    changed = CONTENT[::-1] + b"longer"
    (server.root / "weights.pth").write_bytes(changed)
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == changed


def test_a_validator_outside_ascii_is_none(server, target, monkeypatch):
    send = loopback_hub._Handler.send_header
    monkeypatch.setattr(
        loopback_hub._Handler,
        "send_header",
        lambda self, key, value: send(self, key, '"é"' if key == "ETag" else value),
    )
    server.faults["weights.pth"] = "cut-once"
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT
    assert [request[2] for request in server.requests] == ["", ""]  # without a validator there is no going on


def test_a_server_without_ranges_starts_over(server, target):
    server.faults["weights.pth"] = "cut"
    with pytest.raises(WeightsError):
        download.download(f"{server.url}/weights.pth", target)
    server.faults["weights.pth"] = "no-range"
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_over(server, target):
    target.parent.mkdir(parents=True)
    (target.parent / "weights.pth.part").write_bytes(CONTENT + b"x")
    (target.parent / "weights.pth.part.etag").write_text('"any"')
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("fault", "message"),
    [("no-entry", "not there any more .HTTP 404"), ("gated", "refuses .* .HTTP 403"), ("down", "refuses .* .HTTP 503")],
)
def test_a_refusal_names_the_status_and_leaves_nothing(server, target, fault, message):
    server.faults["weights.pth"] = fault
    with pytest.raises(WeightsError, match=message) as caught:
        download.download(f"{server.url}/weights.pth", target)
    assert caught.value.hint
    assert left_behind(target) == []


def test_an_unreachable_server_is_an_error_at_once(target):
    with pytest.raises(WeightsError, match=r"cannot reach 127.0.0.1:9 .*refused"):
        download.download("http://127.0.0.1:9/weights.pth", target)


def test_too_large_a_file_is_refused_before_a_byte_is_read(server, target, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_FILE", len(CONTENT) - 1)
    with pytest.raises(WeightsError, match="sends more"):
        download.download(f"{server.url}/weights.pth", target)
    assert left_behind(target) == []


def test_a_file_without_an_announced_length_ends_at_the_limit(server, target, monkeypatch):
    monkeypatch.setattr(download, "LARGEST_FILE", len(CONTENT))
    server.faults["weights.pth"] = "endless"
    with pytest.raises(WeightsError, match="sends more"):
        download.download(f"{server.url}/weights.pth", target)
    assert left_behind(target) == []


def test_a_body_without_an_end_stops_before_the_disk_is_full(server, target, monkeypatch):
    disk = download.HEADROOM + download.MEGABYTE + 4 * len(CONTENT)

    def usage(folder):
        left = disk - sum(path.stat().st_size for path in folder.iterdir())
        return shutil._ntuple_diskusage(1 << 40, 1 << 40, left)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    server.faults["weights.pth"] = "for-ever"
    arrived = []
    with pytest.raises(WeightsError, match="do not fit"):
        download.download(f"{server.url}/weights.pth", target, lambda name, done, total: arrived.append(done))
    assert arrived[-1] <= 5 * len(CONTENT)
    assert left_behind(target) == []


@pytest.mark.parametrize("fault", ["trickle", "mute"])
def test_next_to_nothing_ends_by_a_time_limit_that_is_said(server, target, monkeypatch, fault):
    monkeypatch.setattr(pace, "SECONDS", 0.3)
    monkeypatch.setattr(download, "RETRIES", 1)
    server.faults["weights.pth"] = fault
    with pytest.raises(WeightsError, match=r"cut \(less than 64 kB came in"):
        download.download(f"{server.url}/weights.pth", target)
    assert sum(method == "GET" for method, *_ in server.requests) == 2


def test_a_cut_body_in_chunks_goes_on_where_it_ended(server, target):
    server.faults["weights.pth"] = "chunked"
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT
    assert [ask for _, _, ask, _ in server.requests] == ["", f"bytes={len(CONTENT) // 2}-"]


def test_another_range_than_asked_is_no_part_of_the_file(server, target):
    server.faults["weights.pth"] = "cut"
    with pytest.raises(WeightsError):
        download.download(f"{server.url}/weights.pth", target)
    server.faults["weights.pth"] = "misplaced"
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT


def test_a_packed_body_is_refused(server, target):
    server.faults["weights.pth"] = "packed"
    with pytest.raises(WeightsError, match="packs the file"):
        download.download(f"{server.url}/weights.pth", target)


@pytest.mark.parametrize("left", [b"\xff", b"a\r\nX-Evil: 1", b"x" * 300, b""])
def test_a_damaged_validator_starts_over(server, target, left):
    target.parent.mkdir(parents=True)
    (target.parent / "weights.pth.part").write_bytes(b"x" * 10)
    (target.parent / "weights.pth.part.etag").write_bytes(left)
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("length", ["-5", "1" * 5000, "٣", "many"])
def test_a_length_that_is_none_is_not_believed(server, target, monkeypatch, length):
    send = loopback_hub._Handler.send_header

    def changed(self, key, value):
        send(self, key, length.encode().decode("latin-1") if key == "Content-Length" else value)
        if key == "Content-Length":
            self.close_connection = True

    monkeypatch.setattr(loopback_hub._Handler, "send_header", changed)
    download.download(f"{server.url}/weights.pth", target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "proxy", ["none", "http://[", "http://a:b:c", "foo://x", "http://127.0.0.1:99999", "http://" + "a" * 70]
)
def test_a_proxy_that_is_no_address_is_one_line(target, monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(WeightsError, match=r"cannot reach example.invalid") as caught:
        download.download("http://example.invalid/weights.pth", target)
    assert "HTTPS_PROXY" in caught.value.hint


def test_the_free_disk_is_looked_at_first(server, target, monkeypatch):
    usage = shutil._ntuple_diskusage(1 << 40, 1 << 40, download.HEADROOM + len(CONTENT) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(WeightsError, match="1 MB do not fit") as caught:
        download.download(f"{server.url}/weights.pth", target)
    assert "SEGCLI_CACHE_DIR" in caught.value.hint
    assert left_behind(target) == []


def test_leaving_https_by_a_redirect_is_refused():
    request = download.Request("https://example.org/weights.pth")
    with pytest.raises(WeightsError, match="unencrypted"):
        download._SafeRedirects().redirect_request(request, None, 302, "", {}, "http://example.org/weights.pth")
