"""Writes that a channel refuses (FACTS F12, G7): ignored and logged, never applied, never raised.

LangGraph saves a write before it applies it, and applies the saved writes of a waiting thread at every read:
a channel that raised would lock the thread, `get_state` included, for as long as its checkpoint exists.
"""

import logging
from typing import Final

from langgraph.types import Overwrite

from guarded_agents._provider import warn

_OVERWRITE: Final = "__overwrite__"
_logger = logging.getLogger("guarded_agents.state")


def is_overwrite(value: object) -> bool:
    """Return whether *value* asks to replace a channel's value, in any of the forms that LangGraph knows."""
    if isinstance(value, dict):
        return _OVERWRITE in value or value.get("type") == _OVERWRITE
    return isinstance(value, Overwrite)


def refused(channel: str, value: object) -> None:
    """Log that *channel* refused *value*, by its kind only: it may be anybody's text."""
    kind = "an overwrite" if is_overwrite(value) else f"a value of type {type(value).__name__}"
    warn(_logger, "state key %s: refused %s; write what GuardedState documents for this key", channel, kind)
