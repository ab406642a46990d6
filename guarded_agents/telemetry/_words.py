"""What names and people are called in telemetry, which cannot be erased."""

import re
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Final

from guarded_agents.binding import clipped, keyed_digest, person
from guarded_agents.records import BoundCall
from guarded_agents.telemetry._names import UNKNOWN

_UNREVIEWED: Final = "?/"  # what stands before a name that a model made up
_HASH_CHARS: Final = 16
_CALL_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{0,64}")


def spelt(name: str) -> str:
    """Return *name* as spans and log lines show it: clipped, and well-formed, for an encoder drops what is not."""
    cut = clipped(name)
    return cut if cut.isascii() else cut.encode("utf-8", "replace").decode()


def call_id_of(call: BoundCall) -> str:
    """Return the id of *call* as a provider of models makes it; of one that a model may have written, a digest."""
    if _CALL_ID.fullmatch(call.call_id):
        return call.call_id
    return f"sha256:{sha256(call.call_id.encode('utf-8', 'replace')).hexdigest()[:_HASH_CHARS]}"


def tool_of(call: BoundCall) -> str:
    """Return "server/tool" of a reviewed tool; of a name that the model made up, which may say anything, only that."""
    return UNKNOWN if call.tool.startswith(_UNREVIEWED) else spelt(call.tool)


def hasher(key: bytes) -> Callable[[str, str], str]:
    """Return what gives a person of a tenant one name everywhere, which only the holder of *key* can tell (16 hex)."""

    def hashed(name: str, tenant: str) -> str:
        return keyed_digest(key, "telemetry", person(name), tenant)[:_HASH_CHARS] if key else ""

    return lru_cache(maxsize=1_024)(hashed)
