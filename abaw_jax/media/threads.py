"""A map in threads that keeps the order and never runs far ahead of who takes the results."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

X = TypeVar("X")
Y = TypeVar("Y")


def ordered_map(
    function: Callable[[X], Y], items: Iterable[X], threads: int, ahead: int
) -> Iterator[tuple[X, Y]]:
    """(item, function(item)) in the order of `items`, at most `ahead` of them waiting or done."""
    waiting: collections.deque = collections.deque()
    pool = ThreadPoolExecutor(threads, "prepare")
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) >= ahead:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()
    finally:
        pool.shutdown(cancel_futures=True)
