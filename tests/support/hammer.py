"""One of the processes that hammer a log: `hammer.py STORE ACKNOWLEDGED WRITERS`. It writes until it is killed."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from uuid import uuid4

from guarded_agents.audit import KeySigner, Kind
from guarded_agents.errors import StoreError
from guarded_agents.keys import load_audit_key
from guarded_agents.stores import AuditNote, SqliteStore


async def write(store: SqliteStore, acknowledged: int) -> None:
    """Append entry after entry, and put the name of each on record once it is acknowledged."""
    while True:
        names = [uuid4().hex for _ in range(1 + len(os.urandom(1)) * (os.urandom(1)[0] % 3))]
        notes = [AuditNote(Kind.NOTICE, {"name": name}) for name in names]
        try:
            await store.append(notes, now=datetime.now(UTC))
        except StoreError:
            continue  # the other process held the file for too long: nothing was acknowledged
        os.write(acknowledged, "".join(f"{name}\n" for name in names).encode())


async def main(path: str, record: str, writers: str) -> None:
    """Write with so many *writers* at once."""
    store = SqliteStore.open(path, log_id="desk")
    signer = KeySigner("desk", load_audit_key(f"{path}.audit.key", create=True))
    now = datetime.now(UTC)
    await store.sign_with(signer, [AuditNote(Kind.LOG_OPENED, {"key": str(signer.verifier)})], now=now)
    acknowledged = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with asyncio.TaskGroup() as group:
        for _ in range(int(writers)):
            group.create_task(write(store, acknowledged))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
