"""Which spans stand behind a call that waited."""

from collections.abc import Iterator
from contextlib import suppress

from guarded_agents.errors import StoreError
from guarded_agents.records import StandingRequest, TraceContext
from guarded_agents.stores import Store, originals
from guarded_agents.telemetry import Role


def spans_behind(store: Store, standing: StandingRequest | None) -> Iterator[tuple[str, TraceContext]]:
    """Yield the span in which the call of *standing* was held, and that of each vote on it, also before its edits.

    What the store does not tell is left out: it is for operators, and nothing relies on it.
    """
    if standing is None:
        return
    with suppress(StoreError):
        for one in originals(store, standing.request.id):
            for voter, context in store.traces(one.request.id):
                yield (Role.VOTE if voter else Role.HELD), context
