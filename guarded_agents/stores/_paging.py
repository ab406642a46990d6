"""Requests one after another: lists that are longer than a page, and edits that follow one another."""

from collections.abc import Callable, Iterator
from typing import Final

from guarded_agents.records import RequestStatus, RequestSummary, StandingRequest
from guarded_agents.stores._protocol import Store

_PAGE: Final = 5_000


def every_request(store: Store, *, status: RequestStatus | None = RequestStatus.PENDING) -> Iterator[RequestSummary]:
    """Yield every request of *status* (None: any) in the order of `Store.requests`, read a page at a time."""
    after: str | None = None
    while page := store.requests(status=status, limit=_PAGE, after=after):
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].id


def chain(
    store: Store, first: StandingRequest, step: Callable[[StandingRequest], str | None]
) -> Iterator[StandingRequest]:
    """Yield *first* and what follows it by *step*, each once: columns of the store may lead round in a circle."""
    found: StandingRequest | None = first
    seen = set[str]()
    while found is not None and found.request.id not in seen:
        seen.add(found.request.id)
        yield found
        name = step(found)
        found = None if name is None else store.request(name)


def originals(store: Store, standing: StandingRequest) -> Iterator[StandingRequest]:
    """Yield *standing* and the requests that edits have replaced by it, the latest first."""
    return chain(store, standing, lambda one: one.request.parent)
