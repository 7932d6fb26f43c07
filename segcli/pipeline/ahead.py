"""Ahead: work on many things in threads, in order, a few of them begun before they are asked for."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that drops what it has not begun when its user stops early."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def ahead(pool: ThreadPoolExecutor, work: Callable, items: Iterable, depth: int) -> Iterator:
    """Results of `work` in order, with at most `depth` of them begun before they are asked for."""
    queue = iter(items)
    begun = deque(pool.submit(work, item) for item in islice(queue, depth))
    while begun:
        result = begun.popleft().result()
        begun.extend(pool.submit(work, item) for item in islice(queue, 1))
        yield result
