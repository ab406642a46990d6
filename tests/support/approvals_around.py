"""What clocks, directories, users, processes, a wire and whoever can write the store do around the calls."""

import sqlite3
from contextlib import suppress
from datetime import timedelta

from guarded_agents.approval import sign
from guarded_agents.errors import ApprovalError
from guarded_agents.records import UNEXPOSED, Answer, Principal
from guarded_agents.stores import _rows
from tests.support.approvals_calls import Calls
from tests.support.approvals_facts import (
    ACTING_FOR,
    AGENT,
    ANA,
    BOT,
    EVE,
    GROUPS,
    MAX,
    MINUTE,
    RAJ,
    THREADS,
    WHY,
    Request,
)
from tests.support.approvals_policy import KEYS
from tests.support.approvals_rig import micros
from tests.support.approvals_world import Process

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


class Around(Calls):
    """The world around the calls."""

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
                    _rows.put_vote(self.db, signed, ())
        if kind == "quorum":
            self.db.execute(
                "UPDATE requests SET quorum = 1, document = json_set(document, '$.quorum', 1) WHERE id = ?",
                (request.id,),
            )
        if kind == "policy":  # as the other process decides now
            entries = self.processes[1].services.policy.entries_digest(f"bank/{request.slot.tool}")
            self.db.execute(
                "UPDATE requests SET document = json_set(document, '$.policy', ?) WHERE id = ?", (entries, request.id)
            )
        by = self.model.now + 10 * MINUTE
        self.db.execute(
            "UPDATE requests SET status = 'approved', execute_by = ?, broke_glass = ? WHERE id = ?",
            (micros(by), "glass" in kind, request.id),
        )
