"""One process that works on a store: ``python -m tests.support.store_process ROLE PATH NAME``."""

import asyncio
import os
import sys
from datetime import timedelta

from guarded_agents.errors import ApprovalError
from guarded_agents.records import Answer, Limits
from guarded_agents.stores import Admission, SqliteStore
from guarded_agents.stores._admit import Asked, admit
from guarded_agents.stores._tx import Tx
from tests.support.store_desk import Desk
from tests.support.store_writes import WRITES
from tests.support.stores import INTENT, NOTE, REFUSAL, TEN, alone, key, proposal, request, vote

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


async def die_in(desk: Desk, name: str) -> None:
    """End in the middle of a transaction, with everything of it done but the commit."""

    def die_before_commit(statement: str) -> None:
        if statement == "COMMIT":  # SQLite tells of a statement before it runs
            os._exit(9)

    desk.store._writer._db.set_trace_callback(die_before_commit)
    await WRITES[name](desk)
    await desk.store.aclose()  # what was only buffered is written here


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
