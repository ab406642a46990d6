"""A run of the records clerk: its folder, and what happened in its database."""

from datetime import datetime
from pathlib import Path
from typing import Final

import orjson

from graphs._database import rows
from graphs._run import Run, start_run
from graphs.records_clerk.data import fill
from graphs.records_clerk.servers import servers

DATABASE: Final = "clinic.db"
APPROVERS: Final = ("lena@clinic.example", "omar@clinic.example")
PRINCIPAL: Final = "records-agent"
SCOPES: Final = ("exports:send", "notes:read", "records:read")


def prepare(folder: Path, *, now: datetime, unsafe_key_seed: bytes | None = None) -> Run:
    """Make *folder* a fresh run: database, policy, lockfile, servers, and the approvers' keys (0600).

    *now* (UTC) dates the visits. *unsafe_key_seed* makes the keys repeatable, for tests only.
    Raises ConfigurationError where the folder already holds a run.
    """
    here = Path(__file__).resolve().parent
    run = start_run(folder, application=here, database=DATABASE, approvers=APPROVERS, unsafe_key_seed=unsafe_key_seed)
    fill(run.database, now=now)
    run.servers.write_bytes(orjson.dumps(servers(run), option=orjson.OPT_INDENT_2))
    return run


def reopen(folder: Path) -> Run:
    """Return the run that `prepare` made in *folder*."""
    return Run(folder.resolve(), folder.resolve() / DATABASE, APPROVERS)


def effects(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return the exports, oldest first, with the sections that were sent joined by commas."""
    query = "SELECT patient_id, partner, sections, purpose FROM exports ORDER BY export_id"
    return {"exports": rows(folder / DATABASE, query)}


__all__ = ["APPROVERS", "DATABASE", "PRINCIPAL", "SCOPES", "effects", "prepare", "reopen"]
