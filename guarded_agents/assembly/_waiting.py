"""What a thread waits for, as its state shows it. Nothing is decided by it."""

from typing import NamedTuple

from langgraph.types import StateSnapshot


class Waiting(NamedTuple):
    """The requests that the interrupts of a thread name."""

    requests: frozenset[str]
    is_blind: bool  # it waits, for what it could not tell: the store could not be read


def waiting_of(state: StateSnapshot) -> Waiting:
    """Return what the thread of *state* waits for."""
    shown = [found.value for found in state.interrupts if isinstance(found.value, dict)]
    return Waiting(
        frozenset(str(value["request_id"]) for value in shown if "request_id" in value),
        any(value.get("type") == "tool_approval" and "request_id" not in value for value in shown),
    )
