"""What the graph does with a call, below the graph, while other things happen; the plain model is told of it."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from guarded_agents.errors import ApprovalError, DirectoryError
from guarded_agents.nodes._approval import _leave
from guarded_agents.records import Verdict
from tests.support.approvals_facts import RAJ, Request, Slot
from tests.support.approvals_rig import Rig
from tests.support.approvals_world import LEASE_S, UNDER_WAY, Killed, Process

NOT_CARRIED_OUT = "This call was not carried out"


class Driver(Rig):
    """Calls that go as far as they can."""

    def find(self, thread: str, task: Any) -> Slot | None:
        """Return what *task* names in the current entry of its thread."""
        call = task["call"]
        entry = self.model.current.get(thread, "")
        return self.model.slot_at(
            thread, entry, task["turn"], call["name"], call["args"].get("cents"), task["occurrence"]
        )

    async def walk(self, process: Process, thread: str, task: Any, *, is_alone: bool = True) -> None:
        """Take a call as far as it goes: hold, ask, then execute or refuse. Another may close it unless *is_alone*."""
        config = config_of(thread)
        slot = self.find(thread, task)
        had = slot is None or slot.request is not None
        self.model.quarantined, self.model.ahead = process.is_quarantined, process.ahead
        command = await process.approval.hold(task, config, None)
        if slot is not None and not had and not self.model.quarantined and is_alone:
            self.model.ahead = process.ahead
            may = self.model.may_ask(slot, process.variant)
            self.sync()
            is_sound = not any(one.tampered for one in self.model.requests.values())
            assert (slot.request is not None) == may or not is_sound, f"asked: {slot.request is not None}"
        goto = command.goto
        if goto == "ask":
            standing = process.approval._standing(task, config, None)
            if standing is not None and standing.status == "pending":
                if process.clock() < standing.request.decide_by:
                    return
                standing = await process.store.expire(standing.request.id, now=process.clock())
            command = _leave(task, standing, process.services.tokens)
            task, goto = task | (command.update or {}), command.goto
        await self.finish(process, thread, task, goto)

    async def finish(self, process: Process, thread: str, task: Any, goto: str) -> None:
        slot = self.find(thread, task)
        UNDER_WAY.set((slot, process))
        body = process.endings.execute if goto == "execute" else process.endings.refuse
        self.told(slot, await body(task, config_of(thread), None))

    def told(self, slot: Slot | None, update: Any) -> None:
        """Note what the model was told of *slot*."""
        [message] = update["messages"]
        [entry] = update["guard_calls"]["calls"].values() if "guard_calls" in update else [{"status": ""}]
        if slot is None:
            assert entry["status"] in ("", "closed")
        elif entry["status"] in ("failed", "not_happened") or NOT_CARRIED_OUT in message.content:
            assert not slot.effects or slot.erred, "told as not carried out, and it was"
            slot.told_no = True
        elif entry["status"] in ("executed", "happened"):
            slot.told_done = True

    async def meanwhile(self, process: Process, slot: Slot, what: str) -> None:
        """Let *what* happen while a call is on its way."""
        if "lease" in what or what == "resolve":
            self.model.now += timedelta(seconds=LEASE_S + 1)
        self.model.ahead = process.ahead
        try:
            if "other" in what:
                await asyncio.ensure_future(self.walk(process, slot.thread, task_of(slot)))
            elif what == "entry":
                await self.open_entry(process, slot.thread, f"e{len(self.entries[slot.thread])}")
            elif what == "cancel":
                self.model.leave(slot.thread)
                await process.store.withdraw(slot.thread, now=process.clock())
            elif what in ("sweep", "resolve"):
                await process.store.sweep(now=process.clock())
            if what == "resolve":
                with suppress(ApprovalError, DirectoryError):
                    await self.resolve_one(process, slot, RAJ, Verdict.NOT_HAPPENED, flaw=None)
        except Killed:
            self.dead.append(process)

    def prepare_bank(self, mode: str, what: str | None, other: Process, slot: Slot) -> None:
        self.bank.mode = mode
        self.bank.meanwhile = None if what is None else lambda: self.meanwhile(other, slot, what)

    def root(self, number: int) -> Slot | None:
        """Return a call that was proposed, the newest first."""
        roots = [slot for slot in self.model.slots if slot.task is not None]
        return roots[-1 - number % len(roots)] if roots else None

    def request(self, number: int) -> Request | None:
        """Return a request; what waits, and the newest of it, is likelier."""
        every = list(self.model.requests.values())
        waiting = [request for request in every if self.model.waits(request)]
        found = waiting if waiting and number < 6 else every
        return found[-1 - number % len(found)] if found else None


def config_of(thread: str) -> Any:
    return {"configurable": {"thread_id": thread, "__pregel_durability": "sync"}}


def task_of(slot: Slot) -> Any:
    """Return the task of *slot*, or of the call whose edit led to it."""
    while slot.task is None:
        assert slot.request is not None
        assert slot.request.parent is not None
        slot = slot.request.parent.slot
    return slot.task
