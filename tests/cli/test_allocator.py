import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from segcli.cli import allocator
if sys.argv[1] == "keep":
    assert allocator.keep_freed_memory()
import torch
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.zeros(16 << 20).add_(1)
before = faults()
for _ in range(5):
    torch.zeros(16 << 20).add_(1)
print(faults() - before)
"""


def faults(how):
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_blocks_are_used_again_without_new_pages():
    """64 MB, five times after a few to settle: at 4 kB or, where the system gives huge pages, 2 MB a page.

    A system that takes idle pages away makes more faults of it now and then, so that the best of a few tries counts.
    """
    given_back = faults("plain")
    assert given_back >= 5 * 32
    assert any(faults("keep") < given_back / 10 for _ in range(4))
