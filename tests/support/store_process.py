"""One process that works on a store: ``python -m tests.support.store_process ROLE PATH NAME``."""

import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta

from guarded_agents.errors import ApprovalError
from guarded_agents.records import Answer, Electorate, Limits
from guarded_agents.stores import Admission, AuditNote, SqliteStore
from guarded_agents.stores._admit import Asked, admit
from guarded_agents.stores._ballot import Ballot
from guarded_agents.stores._entries import withdraw
from guarded_agents.stores._glass import review as write_review
from guarded_agents.stores._requests import hold
from guarded_agents.stores._resolving import resolve
from guarded_agents.stores._sweep import sweep
from guarded_agents.stores._tx import Tx
from guarded_agents.stores._votes import vote as write_vote
from tests.support.store_desk import Desk
from tests.support.stores import (
    BOTH,
    GLASS,
    HOLDERS,
    HOUR,
    INTENT,
    NOTE,
    REFUSAL,
    ROOM,
    TEN,
    alone,
    broken,
    key,
    proposal,
    request,
    resolution,
    review,
    vote,
)

KEYS = [key(turn=turn) for turn in range(1, 21)]


async def race(desk: Desk, name: str) -> None:
    """Ask for every call, in an order of its own; print which were admitted."""
    keys = KEYS if name == "0" else KEYS[::-1]
    for of in keys:
        await desk.propose(proposal(of))
        if isinstance(await desk.admit(of, owner=name), Admission):
            print(of.turn)  # noqa: T201
        desk.store.note([NOTE], now=TEN)


async def die_after_admission(desk: Desk, name: str) -> None:
    """End without a word once the intent is on disk."""
    await desk.propose()
    await desk.admit(owner=name)
    desk.store.note([NOTE], now=TEN)
    os._exit(9)


async def die_before_commit(desk: Desk, name: str) -> None:
    """End in the middle of the transaction that admits."""
    await desk.propose()

    def admit_and_die(tx: Tx) -> None:
        later = TEN + timedelta(minutes=1)
        admitted = admit(tx, Asked(key(), name, later, None, Limits(), (INTENT,), REFUSAL, TEN))
        assert isinstance(admitted, Admission)
        os._exit(9)

    await asyncio.wrap_future(desk.store._writer.submit(admit_and_die))  # type: ignore[arg-type, func-returns-value]


async def answer(desk: Desk, name: str) -> None:
    """Answer the request of each turn that is named on a line of input, and print what came of it."""
    answer = Answer.APPROVE if name == "ana" else Answer.REJECT
    for line in sys.stdin:
        try:
            said = (await desk.vote(vote(request(alone(line.strip())), name, answer))).status.value
        except ApprovalError as error:
            said = f"{type(error).__name__}: {error}"
        print(said, flush=True)  # noqa: T201


def _ballot(cast: object) -> Ballot:
    return Ballot(cast, Electorate(BOTH, HOLDERS), None, GLASS, ("key",), AuditNote("vote", {}), TEN)  # type: ignore[arg-type]


TRANSACTIONS: dict[str, Callable[[Tx], object]] = {
    "hold": lambda tx: hold(tx, request(alone("new")), NOTE, limits=ROOM, now=TEN),
    "vote": lambda tx: write_vote(tx, _ballot(vote(request(alone("a"))))),
    "delegate": lambda tx: write_vote(tx, _ballot(vote(request(alone("a")), "ana", Answer.DELEGATE, delegate="raj"))),
    "break glass": lambda tx: write_vote(tx, _ballot(broken(request(alone("a"))))),
    "withdraw": lambda tx: withdraw(tx, "thread", now=TEN),
    "sweep": lambda tx: sweep(tx, now=TEN + 3 * HOUR),
    "resolve": lambda tx: resolve(tx, resolution(), alone("sent"), NOTE, now=TEN + HOUR),
    "review": lambda tx: write_review(tx, review("r-b"), NOTE, now=TEN),
}
"""Those that `die_in` ends in, over what `prepare` has left."""


async def prepare(desk: Desk, name: str) -> None:
    """Leave something of every kind."""
    await desk.ask(request(alone("a"), backup="leads", escalate_at=TEN))
    await desk.ask(request(alone("b")))
    await desk.vote(broken(request(alone("b"))), holders=HOLDERS, glass=GLASS)
    await desk.propose(proposal(alone("new")))
    await desk.propose(proposal(alone("sent")))
    await desk.admit(alone("sent"))
    await desk.store.aclose()


async def die_in(desk: Desk, name: str) -> None:
    """End in the middle of a transaction, with everything of it done but the commit."""

    def transact_and_die(tx: Tx) -> None:
        TRANSACTIONS[name](tx)
        os._exit(9)

    await asyncio.wrap_future(desk.store._writer.submit(transact_and_die))  # type: ignore[arg-type, func-returns-value]


async def leave(desk: Desk, name: str) -> None:
    """End without closing the store."""
    desk.store.note([NOTE], now=TEN)


async def close(desk: Desk, name: str) -> None:
    """Close the store properly."""
    await desk.store.aclose()


async def read(desk: Desk, name: str) -> None:
    """End with the number of entries in the log as exit status."""
    os._exit(len(desk.kinds()))


async def main() -> None:
    role, path, name = sys.argv[1:]
    desk = Desk(SqliteStore.open(path))
    globals()["KEPT"] = desk  # until the interpreter ends
    await globals()[role](desk, name)
    if role == "race":
        await desk.store.aclose()


if __name__ == "__main__":
    asyncio.run(main())
