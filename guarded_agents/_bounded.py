"""What is remembered of threads: so many, and of these the ones that were told of last."""

from collections import OrderedDict
from typing import TypeVar

T = TypeVar("T")


def keep(kept: OrderedDict[str, T], thread: str, value: T, *, most: int) -> None:
    """Keep *value* for *thread*; where there are more than *most* threads, the one not kept for longest goes."""
    kept[thread] = value
    kept.move_to_end(thread)
    if len(kept) > most:
        kept.popitem(last=False)
