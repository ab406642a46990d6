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


def originals(store: Store, request_id: str) -> Iterator[StandingRequest]:
    """Yield the request of that id and those that edits have replaced by it, the latest first."""
    return _chain(store, request_id, lambda one: one.request.parent)


def latest(store: Store, request_id: str) -> StandingRequest | None:
    """Return what stands in place of the request of that id after every edit; None where there is no such request."""
    last: StandingRequest | None = None
    for found in _chain(store, request_id, _replaced_by):
        if last is not None and found.request.parent != last.request.id:
            break  # a column that leads to what is no edit of it
        last = found
    return last


def _replaced_by(standing: StandingRequest) -> str | None:
    return standing.successor if standing.status is RequestStatus.SUPERSEDED else None


def _chain(store: Store, request_id: str, step: Callable[[StandingRequest], str | None]) -> Iterator[StandingRequest]:
    """Yield a request and what follows it by *step*, each once: columns of the store may lead round in a circle."""
    seen, name = set[str](), request_id
    while name not in seen and (found := store.request(name)) is not None:
        seen.add(name)
        yield found
        name = step(found) or name
