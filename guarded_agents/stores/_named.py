"""Which call people mean by its id."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from guarded_agents.approval import doubt_id
from guarded_agents.records import CallKey, Claim, ClaimStatus
from guarded_agents.stores._protocol import Store
from guarded_agents.stores._rows import LAST_MOMENT

_ALL: Final = 1_000_000  # more calls in doubt than anybody ever has


def claim_named(store: Store, call: str, *, now: datetime) -> Claim | None:
    """Return the claim that people name *call* (`doubt_id`), in doubt at *now* (UTC) or settled by a person.

    None where there is none. The id is derived from each key, so that no other column can lead to another call.
    """
    return next((claim for claim in _nameable(store, now) if doubt_id(claim.key) == call), None)


def key_named(store: Store, call: str, *, now: datetime) -> CallKey | None:
    """Return the key of the call that people name *call*, whatever became of it; None where there is none.

    Those in doubt at *now* (UTC) are looked through first, then every claim: a second for about 100,000.
    """
    doubt = claim_named(store, call, now=now)
    return next((key for key in store.claimed() if doubt_id(key) == call), None) if doubt is None else doubt.key


def sending_named(store: Store, call: str, *, now: datetime) -> Claim | None:
    """Return the claim that people name *call*, under its sender's lease at *now* (UTC); None where there is none."""
    return next((claim for claim in being_sent(store, now=now) if doubt_id(claim.key) == call), None)


def _nameable(store: Store, now: datetime) -> Iterator[Claim]:
    yield from store.doubts(now=now, limit=_ALL)
    yield from store.resolved()


def being_sent(store: Store, *, now: datetime) -> tuple[Claim, ...]:
    """Return the calls under their senders' leases at *now* (UTC), by when these end. Raises StoreError."""
    return tuple(
        claim
        for claim in store.doubts(now=LAST_MOMENT, limit=_ALL)  # when every lease is over
        if claim.status is ClaimStatus.SENDING and now < claim.lease_until
    )
