"""Headroom: the machine's memory and the limits of cgroups, from files as Linux has them."""

import pytest

from segcli.files import headroom
from segcli.files.headroom import Headroom

MEMINFO = (
    "MemTotal:       8000000 kB\nMemFree:  100 kB\nMemAvailable:   5000000 kB\nSwapTotal: 1000 kB\nSwapFree: 400 kB\n"
)
V1_UNLIMITED = "9223372036854771712"


@pytest.fixture
def linux(tmp_path, monkeypatch):
    """Writes files below /proc and /sys/fs/cgroup, by their path."""
    monkeypatch.setattr(headroom.sys, "platform", "linux")
    monkeypatch.setattr(headroom, "PROC", tmp_path / "proc")
    monkeypatch.setattr(headroom, "CGROUPS", tmp_path / "cgroup")

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    return write


def test_the_machines_memory_counts_with_what_can_be_swapped(linux):
    linux(**{"proc/meminfo": MEMINFO})
    assert headroom.of_host() == Headroom(5000400 << 10, 8001000 << 10)


def test_a_containers_limit_of_version_2_is_the_nearest(linux):
    """1000 MB allowed, 700 taken, of which 200 are files that nobody reads any more."""
    limits = {
        "memory.max": "1000000000",
        "memory.current": "700000000",
        "memory.stat": "anon 5\ninactive_file 200000000",
    }
    own = {f"cgroup/{name}": text for name, text in limits.items()}
    linux(**{"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/\n"}, **own)
    assert headroom.of_host() == Headroom(500_000_000, 1_000_000_000)


def test_a_batch_systems_limit_of_version_1_may_stand_above_the_own_cgroup(linux):
    own = {"memory.limit_in_bytes": V1_UNLIMITED, "memory.usage_in_bytes": "5", "memory.stat": ""}
    above = {
        "memory.limit_in_bytes": "2000",
        "memory.usage_in_bytes": "1900",
        "memory.stat": "total_inactive_file 50\n",
    }
    linux(
        **{"proc/meminfo": MEMINFO, "proc/self/cgroup": "8:pids:/x\n4:cpu,memory:/job/step\n"},
        **{f"cgroup/memory/job/step/{name}": text for name, text in own.items()},
        **{f"cgroup/memory/job/{name}": text for name, text in above.items()},
    )
    assert headroom.of_host() == Headroom(150, 2000)


def test_no_limit_is_none(linux):
    limits = {"memory.max": "max", "memory.current": "700", "memory.stat": ""}
    linux(**{f"cgroup/job/{name}": text for name, text in limits.items()}, **{"proc/self/cgroup": "0::/job\n"})
    assert headroom.of_host() is None


@pytest.mark.parametrize(
    ("free", "total", "short"),
    [
        (80 << 20, 8 << 30, True),
        (200 << 20, 8 << 30, False),
        (600 << 20, 512 << 30, False),
        (500 << 20, 512 << 30, True),
    ],
)
def test_a_small_share_is_short_but_never_more_than_half_a_gigabyte(free, total, short):
    assert Headroom(free, total).is_short == short


def test_this_process_holds_something():
    assert headroom.own_bytes() > 10 << 20
