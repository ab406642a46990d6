"""What a model proposes, what a graph, a worker or a forger makes of it, and when."""

import asyncio

from langchain_core.messages import AIMessage

from tests.support.approvals_driver import Driver, config_of
from tests.support.approvals_facts import ACTING_FOR, MINUTE, THREADS, Slot
from tests.support.approvals_world import Killed, Process

CLAIM = "thread, entry, turn, digest, occurrence"


class Calls(Driver):
    """Calls that are proposed, waited for, woken and forged."""

    def begin(self, acting: bool, proposed: list[tuple[str, int]]) -> None:
        for thread in THREADS:
            self.model.acting_for[thread, "e0"] = ACTING_FOR if acting else None
            self.run(self.processes[0], self.open_entry(self.processes[0], thread, "e0"))
        self.proposes(THREADS[0], proposed)

    def propose(
        self,
        thread: int,
        proposed: list[tuple[str, int]],
        again: bool,
        process: int,
        mode: str,
        what: str | None,
        routed: bool,
    ) -> None:
        self.proposes(THREADS[thread], proposed, again=again, at=process, mode=mode, what=what, routed=routed)

    def proposes(
        self,
        thread: str,
        proposed: list[tuple[str, int]],
        *,
        again: bool = False,
        at: int = 0,
        mode: str = "ok",
        what: str | None = None,
        routed: bool = True,
    ) -> list[Slot]:
        """Let the model propose in the next turn (replayed: in the last one), and perhaps route what it proposed."""
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
        for slot in (one for one in slots if routed and one.task is not None):  # an edit leads to a call of no message
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
            await self.walk(process, slot.thread, slot.task, is_alone=False)
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
        one = self.processes[process]
        owner, store, now = one.owner, one.store, self.model.now
        taken = list(iter(lambda: self.run(one, store.take_wake(owner=owner, until=now + MINUTE, now=now)), None))
        self.bank.mode = mode
        for thread, _ in taken:
            for slot in [one for one in self.model.slots if one.task is not None and one.thread == thread]:
                if slot.entry == self.model.current[thread]:
                    self.walks(slot, process)
            self.run(self.processes[process], self.processes[process].store.woken(thread, owner=owner, again_at=None))
