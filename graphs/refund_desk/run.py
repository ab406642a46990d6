"""A run of the refund desk: its folder, and what happened in its database."""

from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from graphs._database import rows
from graphs._run import Run, start_run
from graphs.refund_desk.data import fill
from graphs.refund_desk.servers import servers

DATABASE: Final = "desk.db"
APPROVERS: Final = ("ana@example.com", "lea@example.com", "raj@example.com")
HOLDERS: Final = ("lea@example.com",)  # of the glass; the policy names them too
PRINCIPAL: Final = "desk-agent"
SCOPES: Final = ("mail:send", "orders:read", "refunds:write")


def prepare(folder: Path, *, now: datetime, unsafe_key_seed: bytes | None = None) -> Run:
    """Make *folder* a fresh run: database, policy, lockfile, servers, and the approvers' keys (0600; a holder has two).

    *now* (UTC) dates the orders. *unsafe_key_seed* makes the keys repeatable, for tests only.
    Raises ConfigurationError where the folder already holds a run.
    """
    here = Path(__file__).resolve().parent
    run = start_run(
        folder,
        application=here,
        database=DATABASE,
        approvers=APPROVERS,
        holders=HOLDERS,
        unsafe_key_seed=unsafe_key_seed,
    )
    fill(run.database, now=now)
    run.servers.write_bytes(orjson.dumps(servers(run), option=orjson.OPT_INDENT_2))
    return run


def reopen(folder: Path) -> Run:
    """Return the run that `prepare` made in *folder*."""
    return Run(folder.resolve(), folder.resolve() / DATABASE, APPROVERS)


def effects(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return the refunds and the outbox, oldest first; amounts are in euro cents."""
    database = folder / DATABASE
    return {
        "refunds": rows(database, "SELECT order_id, amount_cents, account, note FROM refunds ORDER BY refund_id"),
        "outbox": rows(database, "SELECT recipient AS 'to', subject, body FROM outbox ORDER BY message_id"),
    }


__all__ = ["APPROVERS", "DATABASE", "HOLDERS", "PRINCIPAL", "SCOPES", "effects", "prepare", "reopen"]
