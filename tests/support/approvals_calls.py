"""What models, users, processes, clocks and a wire can do to a guard."""

import asyncio
import sqlite3
from contextlib import suppress
from datetime import timedelta

from langchain_core.messages import AIMessage

from guarded_agents.approval import sign
from guarded_agents.errors import ApprovalError
from guarded_agents.records import UNEXPOSED, Answer, Principal
from guarded_agents.stores import _rows
from tests.support.approvals_driver import CLAIM, THREADS, WHY, Driver, config_of, micros
from tests.support.approvals_model import (
    ACTING_FOR,
    AGENT,
    ANA,
    BOT,
    EVE,
    GROUPS,
    MAX,
    MINUTE,
    RAJ,
    Request,
    Slot,
)
from tests.support.approvals_world import (
    KEYS,
    Killed,
    Process,
)

# What somebody who can write the file puts there: an answer, by whom, and which keys are under it.
FORGED: dict[str, tuple[Answer, str, tuple[str, int], tuple[str, int] | None]] = {
    "vote": (Answer.APPROVE, RAJ, (ANA, 0), None),
    "copied": (Answer.APPROVE, RAJ, (ANA, 0), None),
    "barred": (Answer.APPROVE, BOT, (BOT, 0), None),
    "outsider": (Answer.APPROVE, EVE, (EVE, 0), None),
    "glass": (Answer.BREAK_GLASS, RAJ, (RAJ, 0), (RAJ, 1)),
    "glass, one key": (Answer.BREAK_GLASS, MAX, (MAX, 0), (MAX, 0)),
    "glass, forged": (Answer.BREAK_GLASS, MAX, (ANA, 0), (ANA, 1)),
}


class Calls(Driver):
    """Calls that are proposed, waited for, forged and left behind, and the world around them."""

    # -- rules: calls --------------------------------------------------------------------------------

    def begin(self, acting: bool, proposed: list[tuple[str, int]]) -> None:
        for thread in THREADS:
            self.model.acting_for[thread, "e0"] = ACTING_FOR if acting else None
            self.run(self.processes[0], self.open_entry(self.processes[0], thread, "e0"))
        self.proposes(THREADS[0], proposed)

    def propose(
        self, thread: int, proposed: list[tuple[str, int]], again: bool, process: int, mode: str, what: str | None
    ) -> None:
        self.proposes(THREADS[thread], proposed, again=again, at=process, mode=mode, what=what)

    def proposes(
        self,
        thread: str,
        proposed: list[tuple[str, int]],
        *,
        again: bool = False,
        at: int = 0,
        mode: str = "ok",
        what: str | None = None,
    ) -> list[Slot]:
        """Let the model propose in the next turn (or, replayed, in the last one), and route what it proposed."""
        model, process = self.model, self.processes[at]
        entry = model.current[thread]
        turn = max(1, self.turns.get((thread, entry), 0) + (not again))
        self.turns[thread, entry] = turn
        message = AIMessage(
            "",
            tool_calls=[
                {"name": name, "args": {"cents": cents}, "id": f"c{place}"}
                for place, (name, cents) in enumerate(proposed)
            ],
        )
        facts = process.services.facts(config_of(thread), None)
        planned = process.plans.plan(facts, message, turn)
        self.run(process, process.plans._propose(facts, planned), "superseded")
        recorded = self.was_killed and {tuple(row) for row in self.db.execute(f"SELECT {CLAIM} FROM proposals")}
        generation, slots = next(self.generations), []
        for item in planned:
            call, key = item.task["call"], item.call.key
            if recorded is not False and tuple(key) not in recorded:
                continue
            place = (thread, entry, turn, call["name"], call["args"]["cents"], item.task["occurrence"])
            slot = model.slot_at(*place)
            if slot is None:
                slot = Slot(*place, acting_for=model.acting_for[thread, entry], task=item.task, key=key)
                model.slots.append(slot)
            slot.together.add(generation)
            slots.append(slot)
        self.sync()
        for slot in slots:
            self.prepare_bank(mode, what, self.processes[1 - at], slot)
            self.walks(slot, at)
        return slots

    def walks(self, slot: Slot, at: int) -> None:
        process = self.processes[at]
        self.run(process, self.walk(process, slot.thread, slot.task), "voided")
        self.sync()

    def wake(self, number: int, kind: str, at: int, mode: str, what: str | None) -> None:
        """Let a thread go on: once, in two processes at once, or by a worker that looks what is to be woken."""
        if kind == "one":
            self.wake_one(number, at, mode, what)
        elif kind == "two":
            self.wake_twice_at_once(number, at, mode)
        else:
            self.work(at, mode)

    def wake_one(self, number: int, process: int, mode: str, what: str | None) -> None:
        if (slot := self.root(number)) is not None:
            self.prepare_bank(mode, what, self.processes[1 - process], slot)
            self.walks(slot, process)

    def wake_twice_at_once(self, number: int, process: int, mode: str) -> None:
        if (slot := self.root(number)) is None:
            return
        self.bank.mode = mode
        two = (self.processes[process], self.processes[1 - process])

        async def both() -> None:
            ends = await asyncio.gather(*(self.killable(one, slot) for one in two), return_exceptions=True)
            for end in ends:
                if end is not None:
                    raise end

        self.run(two[0], both(), "voided")
        self.sync()

    async def killable(self, process: Process, slot: Slot) -> None:
        try:
            await self.walk(process, slot.thread, slot.task)
        except Killed:
            self.dead.append(process)

    def forge(self, number: int, process: int, goto: str, change: str | None, amount: int, mode: str) -> None:
        """Send a task that somebody made up straight to the node that executes, or to the one that refuses."""
        if (slot := self.root(number)) is None:
            return
        task, thread = dict(slot.task), slot.thread
        if change == "cents":
            task["call"] = task["call"] | {"args": {"cents": amount}}
        elif change in ("turn", "occurrence"):
            task[change] += 1
        elif change == "thread":
            thread = THREADS[thread == "t0"]
        elif change == "edit" and (request := self.request(number)) is not None:
            thread, turn = request.slot.thread, request.slot.turn
            call = task["call"] | {"name": request.slot.tool, "args": {"cents": request.slot.cents}}
            task |= {"call": call, "turn": turn, "occurrence": request.slot.occurrence}
        self.bank.mode = mode
        one = self.processes[process]
        self.run(one, self.finish(one, thread, task, goto), "voided")
        self.sync()

    def work(self, process: int, mode: str) -> None:
        """Let a worker take what is to be woken."""
        owner, store = self.processes[process].owner, self.processes[process].store
        until = self.model.now + MINUTE
        taken = self.run(
            self.processes[process], store.take_wakes(owner=owner, limit=10, until=until, now=self.model.now)
        )
        self.bank.mode = mode
        for thread in taken or ():
            for slot in [one for one in self.model.slots if one.task is not None and one.thread == thread]:
                if slot.entry == self.model.current[thread]:
                    self.walks(slot, process)
            self.run(self.processes[process], self.processes[process].store.woken(thread, owner=owner, again_at=None))

    # -- rules: the world --------------------------------------------------------------------------

    def pass_time(self, step: int) -> None:
        self.model.now += timedelta(seconds=step)

    def change_people(self, what: str, who: str, group: str, number: int) -> None:
        model = self.model
        if what == "member":
            model.groups[group] ^= {who}
        elif what == "key":
            model.live_keys ^= {(who, number)}
        elif what == "fails":
            model.directory_fails = True
        elif what == "slow":
            self.book.slow = 4 * MINUTE
        else:
            model.groups = {name: set(members) for name, members in GROUPS.items()}
            model.live_keys = set(KEYS)
            model.directory_fails, self.book.slow = False, timedelta(0)

    def operate(self, what: str, at: int, thread: int, variant: str, steps: int, flag: bool) -> None:
        """Let something happen to the processes, to what users write, or on the wire."""
        process, name = self.processes[at], THREADS[thread]
        if what == "crash_soon":  # just before or just after one of its next transactions
            process.store.ends_in, process.store.ends_after = steps, flag
        elif what == "crash":
            self.end(process)
        elif what == "sweep":
            self.run(process, process.store.sweep(now=self.model.now))
        elif what == "deploy":
            self.end(self.processes[1], variant)
        elif what == "drift":
            self.drift(at, steps)
        elif what == "write":
            self.write(process, name, old=flag and steps == 0, acting=flag)
        elif what == "cancel":
            self.cancel(process, name)
        elif self.bank.orphans:
            self.deliver(arrives=what == "arrive")

    def drift(self, at: int, number: int) -> None:
        """Let the server change its tools, a thread be woken, and the server change them back."""
        self.model.drifted = True
        if (slot := self.root(number)) is not None:
            self.walks(slot, at)
        self.model.drifted = False
        for process in tuple(self.processes):
            self.run(process, process.watch.observe("bank"))

    def write(self, process: Process, thread: str, *, old: bool, acting: bool) -> None:
        """Let the user write something new, or go back to what was written before."""
        entry = self.entries[thread][0] if old else f"e{len(self.entries[thread])}"
        self.model.acting_for.setdefault((thread, entry), ACTING_FOR if acting else None)
        self.run(process, self.open_entry(process, thread, entry))

    def cancel(self, process: Process, thread: str) -> None:
        self.run(process, process.store.withdraw(thread, now=self.model.now))
        if not self.was_killed or process.store.ends_after:
            self.model.leave(thread)

    def deliver(self, *, arrives: bool) -> None:
        """Deliver a message whose sender listens no more, or lose it."""
        slot, key = self.bank.orphans.pop(0)
        if arrives:
            self.bank.effect(slot, key)
            assert not self.bank.violations, self.bank.violations

    async def open_entry(self, process: Process, thread: str, entry: str) -> None:
        model = self.model
        acting_for = model.acting_for.setdefault((thread, entry), None)
        requester = Principal(id=AGENT, scopes=("bank:write",), acting_for=acting_for)
        try:
            await process.store.open_entry(
                thread=thread, entry=entry, requester=requester, tenant="", labels=UNEXPOSED, now=model.now
            )
        finally:
            found = self.db.execute("SELECT entry FROM threads WHERE thread = ?", (thread,)).fetchone()
            if found is not None and found["entry"] == entry != model.current.get(thread):
                model.leave(thread)
                model.current[thread] = entry
                if entry not in self.entries[thread]:
                    self.entries[thread].append(entry)

    def tamper(self, number: int, kind: str, wake: bool, sure: bool) -> None:
        """Let somebody with the database's password, and no key, write into it."""
        request = self.request(number)
        if request is None or request.status != "pending" or not sure:
            return
        self.tampers(request, kind)
        if wake:
            self.walks_root(request, 0)

    def tampers(self, request: Request, kind: str) -> None:
        request.tampered = True
        self.model.reached["tampered"] += 1
        if kind in FORGED:
            answer, who, first, second = FORGED[kind]
            with suppress(ApprovalError):
                vote = self.statement(self.processes[0], request, answer, who, text=WHY if second else None)
                signed = sign(vote, KEYS[first], second=None if second is None else KEYS[second])
                old = [one for one, *_ in self.pool if (one.vote.approver, one.vote.answer) == (who, answer)]
                if kind == "copied" and old:
                    signed = signed.model_copy(update={"signature": old[-1].signature})
                with suppress(sqlite3.IntegrityError):  # he has voted
                    _rows.put_vote(self.db, signed)
        if kind == "quorum":
            self.db.execute(
                "UPDATE requests SET quorum = 1, document = json_set(document, '$.quorum', 1) WHERE id = ?",
                (request.id,),
            )
        by = self.model.now + 10 * MINUTE
        self.db.execute(
            "UPDATE requests SET status = 'approved', execute_by = ?, broke_glass = ? WHERE id = ?",
            (micros(by), "glass" in kind, request.id),
        )
