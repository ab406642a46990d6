"""Lists that are longer than a page."""

from collections.abc import Iterator
from typing import Final

from guarded_agents.records import RequestStatus, RequestSummary
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
