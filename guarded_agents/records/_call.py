"""What is asked for: a tool, a call, and the thread that it stands in."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pydantic import JsonValue

from guarded_agents.records._origin import Labels, Principal


class ToolEffect(StrEnum):
    """What a tool does to the world, as the policy declares it."""

    READ = "read"
    WRITE = "write"
    EGRESS = "egress"


class ToolRef(NamedTuple):
    """The tool asked for: server, name, and the digest of its reviewed definition (hex)."""

    server: str
    name: str
    definition: str

    @property
    def key(self) -> str:
        """Return ``server/tool``, as policy and lockfile spell it."""
        return f"{self.server}/{self.name}"


class CallKey(NamedTuple):
    """What a claim is unique by (DESIGN I4): never a message, call, step or task id.

    ``entry`` is the id of the newest human message, ``turn`` the number of the model's turn
    since then (from 1), ``digest`` that of the bound call, ``occurrence`` counts equal calls
    within the turn (from 0).
    """

    thread: str
    entry: str
    turn: int
    digest: str
    occurrence: int


@dataclass(frozen=True, slots=True)
class BoundCall:
    """One proposed call, with its arguments parsed once from their canonical bytes (RFC 8785).

    Schema, condition, approver and transport all see ``arguments``, and no other value.
    """

    key: CallKey
    tool: str  # "server/tool", or the unknown name that the model used
    call_id: str
    canonical: bytes
    arguments: dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What a policy decision point is asked: may *principal* make this call now?"""

    principal: Principal
    tenant: str
    tool: ToolRef
    arguments: Mapping[str, JsonValue]
    labels: Labels


@dataclass(frozen=True, slots=True)
class Proposal:
    """One call as the model proposed it, recorded before anything is decided about it."""

    key: CallKey
    tool: str
    call_id: str
    canonical: bytes
    consequential: bool  # needs a claim; a different proposal in its turn must close it first
    labels: Labels
    attended: bool = False  # a person has to agree, for where its values come from


@dataclass(frozen=True, slots=True)
class ThreadFacts:
    """What the store knows of a thread: its current entry, who asked, and what it was exposed to."""

    thread: str
    entry: str
    requester: Principal
    tenant: str
    labels: Labels
