"""Stores: trust, proposals, requests, votes, claims and audit entries, outside the checkpointer.

Every transaction follows DESIGN section 8b, which is model-checked in ``docs/model``.
"""

from guarded_agents.stores._named import being_sent, claim_named, key_named, sending_named
from guarded_agents.stores._paging import every_request, latest, originals
from guarded_agents.stores._payloads import dump_json
from guarded_agents.stores._protocol import Store
from guarded_agents.stores._results import (
    NO_USE,
    Admission,
    AuditNote,
    ClosedCall,
    Delayed,
    EntryOpened,
    Kept,
    Proven,
    SeenMessage,
    StuckNotice,
    Swept,
    Told,
    Trail,
    UnreadableRow,
    Use,
    Waiting,
    Wake,
)
from guarded_agents.stores._sqlite import SqliteStore
from guarded_agents.stores._trail import use_name

__all__ = [
    "NO_USE",
    "Admission",
    "AuditNote",
    "ClosedCall",
    "Delayed",
    "EntryOpened",
    "Kept",
    "Proven",
    "SeenMessage",
    "SqliteStore",
    "Store",
    "StuckNotice",
    "Swept",
    "Told",
    "Trail",
    "UnreadableRow",
    "Use",
    "Waiting",
    "Wake",
    "being_sent",
    "claim_named",
    "dump_json",
    "every_request",
    "key_named",
    "latest",
    "originals",
    "sending_named",
    "use_name",
]
