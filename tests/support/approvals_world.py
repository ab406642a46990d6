"""Processes of a guard over one SQLite file, killed at any step, and a server that remembers every effect."""

import asyncio
import contextvars
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from guarded_agents.assembly._watch import Watch
from guarded_agents.catalog import Catalog
from guarded_agents.errors import DirectoryError, NoReplyError, NotSentError
from guarded_agents.identity import PolicyDirectory
from guarded_agents.keys import RootKey
from guarded_agents.nodes import (
    Approval,
    Door,
    Endings,
    Exposure,
    HomeLoop,
    People,
    Plans,
    Provenance,
    Screening,
    ScreenInput,
    Services,
    Statements,
    Tokens,
    Votes,
)
from guarded_agents.policy import RulePolicy
from guarded_agents.stores import SqliteStore
from guarded_agents.stores._buffer import Buffer
from guarded_agents.telemetry import Telemetry
from guarded_agents.transport import ObservedTool, ToolReply
from tests.support.approvals_facts import AGENT, Slot
from tests.support.approvals_model import Model
from tests.support.approvals_policy import LOCK, policy_of, signers_of, tools

LEASE_S = 90
ROOT = RootKey(b"r" * 32)
UNDER_WAY: "contextvars.ContextVar[tuple[Slot | None, Process]]" = contextvars.ContextVar("UNDER_WAY")


class Killed(BaseException):
    """The process has ended, at this very step."""


@dataclass
class Bank:
    """The server, and the wire to it. It outlives every process."""

    model: Model
    mode: str = "ok"
    meanwhile: Callable[[], Awaitable[None]] | None = None
    violations: list[str] = field(default_factory=list)
    orphans: list[tuple[Slot, str]] = field(default_factory=list)  # messages whose sender listens no more
    done: set[str] = field(default_factory=set)  # idempotency keys
    servers: tuple[str, ...] = ("bank",)
    in_flight: int = 0

    async def list_tools(self, server: str, *, principal: str) -> tuple[ObservedTool, ...]:
        return tools("Drifted:" if self.model.drifted else "Reviewed:")

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], *, principal: str, meta: Mapping[str, str], **_: Any
    ) -> ToolReply:
        slot, process = UNDER_WAY.get()
        self.model.ahead = process.ahead
        key = meta["guarded_agents/idempotency_key"]
        wrong = self.model.check_send(slot, tool, arguments["cents"], key, process.variant)
        if arguments.keys() != {"cents"} or AGENT not in principal:
            wrong = "other arguments or another principal"
        if wrong is not None or slot is None:
            self.violations.append(f"{tool} {dict(arguments)}: {wrong}")
            raise Killed
        mode, meanwhile = self.mode, self.meanwhile
        self.mode, self.meanwhile = "ok", None  # what happens meanwhile goes well
        self.in_flight += 1
        try:
            if meanwhile is not None:
                await meanwhile()
            await asyncio.sleep(0)
            return self._answer(slot, mode, key)
        finally:
            self.in_flight -= 1

    def _answer(self, slot: Slot, mode: str, key: str) -> ToolReply:
        self.model.reached[mode] += 1
        if mode in ("ok", "lost", "killed_after", "error_lies"):
            self.effect(slot, key)
        if mode in ("late", "killed_sent"):
            self.orphans.append((slot, key))
        if mode.startswith("killed"):
            raise Killed
        if mode in ("lost", "late", "never"):
            raise NoReplyError("bank", expected="a reply", got="none", action="wait")
        if mode in ("unsent", "proves"):
            slot.proven_not = slot.sends == 1
        if mode == "unsent":
            raise NotSentError("bank", expected="a connection", got="none", action="wait")
        if mode == "ok":
            return ToolReply("done", None, is_error=False)
        return ToolReply("an error", None, is_error=True, proves_nothing_happened=mode == "proves")

    def effect(self, slot: Slot, key: str) -> None:
        """Do it, at the server: once for each idempotency key of the tool that has them."""
        if slot.tool == "pay" and key in self.done:
            return
        self.done.add(key)
        slot.effects += 1
        self.model.reached["effect"] += 1
        if slot.effects > 1:
            self.violations.append("an effect happened twice")
        if (slot.told_no or slot.closed) and not slot.erred:
            self.violations.append("it happened after it was told or closed as not carried out")

    async def aclose(self) -> None:
        """Nothing is open."""


class Phonebook:
    """The directory: what the model says, now, or after a while."""

    def __init__(self, model: Model) -> None:
        self.model, self.slow = model, timedelta(0)

    async def members(self, group: str) -> frozenset[str]:
        if self.model.directory_fails:
            raise DirectoryError("directory", expected="an answer", got="none", action="wait")
        self.model.now += self.slow
        return frozenset(self.model.groups[group])


class KeyRing:
    """The authenticator: real signatures, by the keys that count now."""

    def __init__(self, model: Model) -> None:
        self.model = model

    async def verify(self, proof: Any, **more: Any) -> str:
        return await signers_of(frozenset(self.model.live_keys)).verify(proof, **more)


class CrashingStore(SqliteStore):
    """The real store, in a process that may end just before or just after any of its transactions."""

    ends_in: int | None = None
    ends_after = False

    async def _write(self, transaction: Any, *, is_light: bool = False) -> Any:
        ends = self.ends_in == 0
        if self.ends_in is not None:
            self.ends_in -= 1
        if ends and not self.ends_after:
            raise Killed
        written = await super()._write(transaction, is_light=is_light)
        if ends:
            raise Killed
        return written

    def drop(self) -> None:
        """Forget what is buffered, and end the thread and the connections without writing anything."""
        self._shut.detach()
        writer = self._writer
        with writer._wake:
            writer._buffer, writer._flushing, writer._is_unsynced, writer._due_s = Buffer(), (), False, None
        writer.close()
        self._reader.close()


class Process:
    """One process: a store of its own on the shared file, and everything below the graph."""

    owners = count()

    def __init__(self, path: Path, model: Model, bank: Bank, book: Phonebook, variant: str, ahead: timedelta) -> None:
        self.variant, self.model, self.ahead = variant, model, ahead
        self.store = store = CrashingStore.open(path)
        policy, catalog = policy_of(variant), Catalog(LOCK)
        home = HomeLoop(asyncio.get_running_loop())
        self.watch = watch = Watch(catalog, bank, store, home, self.clock)
        self.owner = f"owner-{next(self.owners)}"
        tokens = Tokens(policy, store, derive=ROOT.derive)
        self.services = services = Services(
            policy=RulePolicy(policy),
            catalog=catalog,
            store=store,
            transport=bank,
            telemetry=Telemetry(),
            provenance=Provenance(store, policy, ROOT.derive("values")),
            exposure=Exposure(store, self.clock),
            screening=Screening(policy, store, tokens, derive=ROOT.derive, now=self.clock),
            tokens=tokens,
            people=People(PolicyDirectory(policy, book), KeyRing(model), policy.glass, store, home, 5.0),
            queue=policy.queue_limits,
            operators=policy.operators,
            observe=watch.observe,
            recover=watch.recover,
            home=home,
            now=self.clock,
            binding_key=ROOT.derive("binding"),
            request_key=ROOT.derive("request"),
            owner=self.owner,
            timeout_s=5.0,
            lease=timedelta(seconds=LEASE_S),
        )
        self.votes, self.statements = Votes(services), Statements(services)
        self.plans, self.screen_input = Plans(services), ScreenInput(services)
        self.endings = Endings(services, Door(services))
        self.approval = Approval(services, self.endings, self.votes, home)

    def clock(self) -> datetime:
        return self.model.time + self.ahead

    @property
    def is_quarantined(self) -> bool:
        return self.services.catalog.quarantine_reason("bank/pay") is not None


def waiting_takes_time(model: Model) -> Any:
    """Return an `asyncio` for the door in which waiting takes a second of the model's clock, and none of ours."""

    async def sleep(_: float) -> None:
        model.now += timedelta(seconds=1)
        await asyncio.sleep(0)

    return SimpleNamespace(**{name: getattr(asyncio, name) for name in dir(asyncio)} | {"sleep": sleep})


def rows(path: Path) -> sqlite3.Connection:
    """Return a connection of somebody who can read and write the file, and has no key."""
    db = sqlite3.connect(path, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db
