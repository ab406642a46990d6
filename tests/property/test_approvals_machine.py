"""No sequence of votes, edits, clocks, revocations, delegations, crashes and deliveries executes without a quorum.

A state machine drives the real thing below the graph, over a SQLite file that its processes share and outlive, beside
the plain model of ``tests.support.approvals_model``. What may be sent is judged by the model inside the server, at the
moment of sending; where requests and claims stand is read from the file after each step, by somebody without a key.
"""

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from langchain_core.messages import AIMessage

from guarded_agents.approval import doubt_id, sign
from guarded_agents.audit import GENESIS, verify
from guarded_agents.errors import ApprovalError, DirectoryError, GuardError
from guarded_agents.nodes import _door
from guarded_agents.nodes._approval import _leave
from guarded_agents.records import UNEXPOSED, Answer, CallKey, Principal, ReviewFinding, SignedVote, Verdict
from guarded_agents.stores import _rows, _writer
from tests.support.approvals_model import (
    AGENT,
    ACTING_FOR,
    ANA,
    ANNA,
    BOB,
    EVE,
    GROUPS,
    LEA,
    MAX,
    MINUTE,
    PEOPLE,
    RAJ,
    VARIANTS,
    Model,
    Request,
    Slot,
    tag_of,
    terms_of,
)
from tests.support.approvals_world import (
    KEYS,
    LEASE_S,
    UNDER_WAY,
    Bank,
    Killed,
    Phonebook,
    Process,
    rows,
    waiting_takes_time,
)

WHY = "the payment run closes at noon and nobody answers"
NOT_CARRIED_OUT = "This call was not carried out"
THREADS = ("t0", "t1")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLAIM = "thread, entry, turn, digest, occurrence"

# What leads on is drawn more often than what ends everything.
numbers = st.integers(0, 7)
processes = st.sampled_from([0, 0, 0, 1])
threads = st.sampled_from([0, 0, 0, 1])
tool_names = st.sampled_from(["wire", "wire", "wire", "pay", "pay", "seal", "topup"])
cents = st.sampled_from([500, 500, 600, 700, 800, 500, 600, 700, 800, 50, 50, 2_000])
calls = st.lists(st.tuples(tool_names, cents), min_size=1, max_size=3)
voters = st.sampled_from([ANA, RAJ, ANA, RAJ, LEA, *PEOPLE])
answers = st.sampled_from([Answer.APPROVE] * 6 + [Answer.REJECT, Answer.RESPOND])
seldom = st.sampled_from([False] * 5 + [True])
flaws = st.sampled_from([None] * 9 + ["digest", "other", "key", "nonce", "early", "ahead", "future", "second"])
modes = st.sampled_from(
    ["ok"] * 6
    + ["lost", "late", "never", "unsent", "proves", "error", "error_lies", "killed", "killed_sent", "killed_after"]
)
happenings = st.sampled_from([None] * 6 + ["lease", "other", "lease+other", "entry", "sweep", "resolve", "cancel"])


class Approvals(RuleBasedStateMachine):
    """Two processes over one file, people with keys, a directory, a server, a clock."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "guard.db"
        self.runner = asyncio.Runner()
        self.model = Model()
        self.bank, self.book = Bank(self.model), Phonebook(self.model)
        self.variant_of: dict[str, str] = {}
        self.processes = [self.start("base"), self.start("base")]
        self.db = rows(self.path)
        self.dead: list[Process] = []
        self.pool: list[tuple[SignedVote, tuple[tuple[str, int], ...], Request, Any]] = []
        self.shown: dict[str, Any] = {}  # digest of an edit to (cents, digest, terms, tag)
        self.turns: dict[tuple[str, str], int] = {}
        self.entries: dict[str, list[str]] = {thread: [] for thread in THREADS}
        self.generations, self.nonces = count(), count()
        self.audited, self.previous = 0, GENESIS
        self.was_killed, self.error = False, None
        self.may_end: set[str] = set()
        self.began = self.model.now

    def teardown(self) -> None:
        try:
            rows_of_log = next(iter(self.processes)).store.audit_rows()
            assert verify(rows_of_log).verified
        finally:
            for process in self.processes:
                process.store.drop()
            self.runner.close()
            self.db.close()
            shutil.rmtree(self.folder)

    # -- processes -------------------------------------------------------------------------------

    def start(self, variant: str) -> Process:
        async def started() -> Process:
            process = Process(self.path, self.model, self.bank, self.book, variant)
            await process.watch.observe("bank")
            return process

        process = self.runner.run(started())
        self.variant_of[process.owner] = variant
        return process

    def end(self, process: Process, variant: str | None = None) -> None:
        """End *process* without a word, and start another in its place."""
        process.store.drop()
        self.processes[self.processes.index(process)] = self.start(variant or process.variant)

    def run(self, process: Process, work: Awaitable[Any], *ends: str) -> Any:
        """Run *work* in *process* to its end, or to that of the process; what it raised is kept.

        *ends* is what may become of open requests.
        """
        self.may_end = set(ends)
        self.was_killed, self.error, self.began = False, None, self.model.now
        self.model.quarantined = process.is_quarantined
        result = None
        try:
            result = self.runner.run(_awaited(work))
        except Killed:
            self.was_killed = True
            self.dead.append(process)
        except GuardError as error:
            self.error = error
        assert not self.bank.violations, self.bank.violations
        self.model.reached["killed"] += len(self.dead)
        for dead in dict.fromkeys(self.dead):
            self.end(dead)
        self.dead.clear()
        self.bank.mode, self.bank.meanwhile = "ok", None
        return result

    # -- what the graph does with a call -----------------------------------------------------------

    def find(self, thread: str, task: Any) -> Slot | None:
        """Return what *task* names in the current entry of its thread."""
        call = task["call"]
        entry = self.model.current.get(thread, "")
        return self.model.slot_at(
            thread, entry, task["turn"], call["name"], call["args"].get("cents"), task["occurrence"]
        )

    async def walk(self, process: Process, thread: str, task: Any) -> None:
        """Take a call as far as it goes: hold, ask, then execute or refuse."""
        config = _config(thread)
        slot = self.find(thread, task)
        had = slot is None or slot.request is not None
        self.model.quarantined = process.is_quarantined
        command = await process.approval.hold(task, config, None)
        if slot is not None and not had and not self.model.quarantined:
            may = self.model.may_ask(slot, process.variant)
            self.sync()
            is_sound = not any(one.tampered for one in self.model.requests.values())
            assert (slot.request is not None) == may or not is_sound, f"asked: {slot.request is not None}"
        goto = command.goto
        if goto == "ask":
            standing = process.approval._standing(task, config, None)
            if standing is not None and standing.status == "pending":
                if self.model.now < standing.request.decide_by:
                    return
                standing = await process.store.expire(standing.request.id, now=self.model.now)
            command = _leave(task, standing)
            task, goto = task | (command.update or {}), command.goto
        await self.finish(process, thread, task, goto)

    async def finish(self, process: Process, thread: str, task: Any, goto: str) -> None:
        slot = self.find(thread, task)
        UNDER_WAY.set((slot, process.variant))
        body = process.endings.execute if goto == "execute" else process.endings.refuse
        self.told(slot, await body(task, _config(thread), None))

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
        try:
            if "other" in what:
                await asyncio.ensure_future(self.walk(process, slot.thread, slot.task))
            elif what == "entry":
                await self.open_entry(process, slot.thread, f"e{len(self.entries[slot.thread])}")
            elif what == "cancel":
                self.model.leave(slot.thread)
                await process.store.withdraw(slot.thread, now=self.model.now)
            elif what in ("sweep", "resolve"):
                await process.store.sweep(now=self.model.now)
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

    # -- rules: calls --------------------------------------------------------------------------------

    @initialize(acting=seldom, proposed=calls)
    def begin(self, acting: bool, proposed: list[tuple[str, int]]) -> None:
        for thread in THREADS:
            self.model.acting_for[thread, "e0"] = ACTING_FOR if acting else None
            self.run(self.processes[0], self.open_entry(self.processes[0], thread, "e0"))
        self.proposes(THREADS[0], proposed)

    @rule(thread=threads, proposed=calls, again=seldom, process=processes, mode=modes, what=happenings)
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
        facts = process.services.facts(_config(thread), None)
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

    @precondition(lambda self: self.model.slots)
    @rule(number=numbers, process=processes, mode=modes, what=happenings)
    def wake_one(self, number: int, process: int, mode: str, what: str | None) -> None:
        if (slot := self.root(number)) is not None:
            self.prepare_bank(mode, what, self.processes[1 - process], slot)
            self.walks(slot, process)

    @precondition(lambda self: self.model.slots)
    @rule(number=numbers, process=processes, mode=modes)
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

    @precondition(lambda self: self.model.slots)
    @rule(
        number=numbers,
        process=processes,
        goto=st.sampled_from(["execute", "execute", "refuse"]),
        change=st.sampled_from([None, None, None, "cents", "turn", "occurrence", "thread", "edit"]),
        amount=cents,
        mode=modes,
    )
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

    @rule(process=processes, mode=modes)
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

    # -- rules: people -------------------------------------------------------------------------------

    def statement(self, process: Process, request: Request, answer: Answer, who: str, **more: Any) -> Any:
        vote = process.votes.prepare(request.id, answer, approver=who, **more)
        return vote.model_copy(update={"nonce": f"{next(self.nonces):032x}"})

    def say(
        self,
        request: Request,
        answer: Answer,
        who: str,
        *,
        at: int = 0,
        flaw: str | None = None,
        asked: Any = None,
        later: bool = False,
        **more: Any,
    ) -> None:
        """Let *who* sign an answer, perhaps a flawed one, and hand it in, perhaps later."""
        try:
            vote = self.statement(self.processes[at], request, answer, who, **more)
        except ApprovalError:
            assert answer is Answer.EDIT or request.tampered
            return
        if answer is Answer.EDIT:
            asked = (asked[0], vote.digest, *asked[2:])
            self.shown[vote.digest] = asked
        keys = ((who, 0), (who, 1)) if answer is Answer.BREAK_GLASS else ((who, 0),)
        earlier = [one.nonce for (name, _), one in self.model.nonces.items() if name == who]
        others = [one.digest for one in self.model.requests.values() if one is not request]
        if flaw == "key":
            keys = ((RAJ if who == ANA else ANA, 0), *keys[1:])
        elif flaw == "second":
            keys = ((who, 1),) if answer is not Answer.BREAK_GLASS else ((who, 0), (who, 0))
        elif flaw is not None:
            changes: dict[str, dict[str, Any]] = {
                "digest": {"digest": "0" * 64},
                "other": {"digest": others[-1]} if others else {},
                "nonce": {"nonce": earlier[-1]} if earlier else {},
                "early": {"at": request.created_at - timedelta(microseconds=1)},
                "ahead": {"at": self.model.now + 4 * MINUTE},
                "future": {"at": self.model.now + 6 * MINUTE},
            }
            vote = vote.model_copy(update=changes[flaw])
        signed = sign(vote, KEYS[keys[0]], second=KEYS[keys[1]] if len(keys) > 1 else None)
        self.pool.append((signed, keys, request, asked))
        if not later:
            self.hand_in(len(self.pool) - 1, at)

    def hand_in(self, place: int, at: int) -> None:
        """Deliver a signed vote, for the first time or again: it counts if the model says so."""
        signed, keys, request, asked = self.pool[place]
        model, process, vote = self.model, self.processes[at], signed.vote
        before = self.recorded(signed)
        self.run(process, process.votes.cast(signed))
        counts = self.recorded(signed) and not before
        may = model.accepts(request, vote, keys, asked, process.variant, self.began)
        if not request.tampered and not self.was_killed:
            assert counts == may, f"{vote.answer} by {vote.approver}: counts {counts}, {self.error}"
        assert may or request.tampered or not counts
        if counts:
            model.cast(request, vote, keys, self.began)
        self.sync()

    def recorded(self, signed: SignedVote) -> bool:
        vote = signed.vote
        found = self.db.execute(
            "SELECT 1 FROM votes WHERE request = ? AND approver = ? AND document ->> '$.vote.nonce' = ?",
            (vote.request, vote.approver, vote.nonce),
        ).fetchone()
        return found is not None

    @precondition(lambda self: any(map(self.model.waits, self.model.requests.values())))
    @rule(number=numbers, who=voters, answer=answers, flaw=flaws, process=processes, later=seldom, wake=st.booleans())
    def vote(
        self, number: int, who: str, answer: Answer, flaw: str | None, process: int, later: bool, wake: bool
    ) -> None:
        if (request := self.request(number)) is not None:
            text = "because" if answer is not Answer.APPROVE else None
            self.say(request, answer, who, at=process, flaw=flaw, later=later, text=text)
            if wake:
                self.walks_root(request, process)

    def walks_root(self, request: Request, at: int) -> None:
        while request.parent is not None:
            request = request.parent
        self.walks(request.slot, at)

    @precondition(lambda self: any(map(self.model.waits, self.model.requests.values())))
    @rule(number=numbers, process=processes, mode=modes, what=happenings, wake=st.booleans())
    def agree(self, number: int, process: int, mode: str, what: str | None, wake: bool) -> None:
        """Let two members approve, one after the other, and the thread go on."""
        if (request := self.request(number)) is not None:
            for who in (ANA, RAJ):
                self.say(request, Answer.APPROVE, who, at=process)
            if wake:
                self.prepare_bank(mode, what, self.processes[1 - process], request.slot)
                self.walks_root(request, process)

    @precondition(lambda self: self.pool)
    @rule(place=st.integers(0, 31), process=processes)
    def deliver_again(self, place: int, process: int) -> None:
        if self.pool:
            self.hand_in(-1 - place % len(self.pool) + len(self.pool), process)

    @precondition(lambda self: any(map(self.model.waits, self.model.requests.values())))
    @rule(number=numbers, who=voters, amount=cents, flaw=flaws, process=processes, later=seldom)
    def edit(self, number: int, who: str, amount: int, flaw: str | None, process: int, later: bool) -> None:
        if (request := self.request(number)) is not None:
            self.edits(request, who, amount, at=process, flaw=flaw, later=later)

    def edits(self, request: Request, who: str, amount: int, *, at: int = 0, **more: Any) -> None:
        variant, tool = self.processes[at].variant, request.slot.tool
        asked = (amount, "", terms_of(variant, tool, amount), tag_of(variant, tool))
        self.say(request, Answer.EDIT, who, at=at, asked=asked, arguments={"cents": amount}, **more)

    @precondition(lambda self: any(map(self.model.waits, self.model.requests.values())))
    @rule(number=numbers, who=voters, to=voters, flaw=flaws, process=processes)
    def delegate(self, number: int, who: str, to: str, flaw: str | None, process: int) -> None:
        if (request := self.request(number)) is not None:
            self.say(request, Answer.DELEGATE, who, at=process, flaw=flaw, delegate=to)

    @precondition(lambda self: any(map(self.model.waits, self.model.requests.values())))
    @rule(
        number=numbers,
        who=st.sampled_from([MAX, MAX, ANA, RAJ, *PEOPLE]),
        flaw=flaws,
        process=processes,
        text=st.sampled_from([WHY, WHY, WHY, "quick"]),
        mode=modes,
        wake=st.booleans(),
    )
    def break_glass(
        self, number: int, who: str, flaw: str | None, process: int, text: str, mode: str, wake: bool
    ) -> None:
        if (request := self.request(number)) is not None:
            self.say(request, Answer.BREAK_GLASS, who, at=process, flaw=flaw, text=text)
            self.bank.mode = mode
            if wake:
                self.walks_root(request, process)

    @precondition(lambda self: self.model.glasses)
    @rule(number=numbers, who=st.sampled_from([EVE, EVE, LEA, MAX, *PEOPLE]), process=processes)
    def review(self, number: int, who: str, process: int) -> None:
        model, statements = self.model, self.processes[process].statements
        if not model.glasses:
            return
        glass = model.glasses[-1 - number % len(model.glasses)]
        if glass.request.tampered:
            return
        statement = statements.prepare_review(glass.request.id, ReviewFinding.REVIEWED, reviewer=who, text="looked")
        done = self.run(self.processes[process], statements.review(sign(statement, KEYS[who, 0])))
        may = (
            not (model.directory_fails or glass.reviewed or model.barred(glass.request, who))
            and who in model.groups["audit"]
            and (who, 0) in model.live_keys
            and who.casefold() != glass.by.casefold()
        )
        if self.was_killed:
            finding = self.db.execute("SELECT finding FROM broken_glass WHERE request = ?", (glass.request.id,))
            glass.reviewed = finding.fetchone()[0] is not None
        else:
            assert (done is not None) == may, self.error
            glass.reviewed |= may

    @precondition(lambda self: any(slot.sends for slot in self.model.slots))
    @rule(
        number=numbers,
        who=st.sampled_from([RAJ, RAJ, EVE, EVE, *PEOPLE]),
        verdict=st.sampled_from(list(Verdict)),
        flaw=st.sampled_from([None, None, None, "attempt", "key", "early"]),
        process=processes,
    )
    def resolve(self, number: int, who: str, verdict: Verdict, flaw: str | None, process: int) -> None:
        doubtful = [slot for slot in self.model.slots if slot.sends or slot.told_no]
        if doubtful:
            slot = doubtful[-1 - number % len(doubtful)]
            self.run(
                self.processes[process], self.resolve_one(self.processes[process], slot, who, verdict, flaw=flaw)
            )

    async def resolve_one(
        self, process: Process, slot: Slot, who: str, verdict: Verdict, *, flaw: str | None
    ) -> None:
        """Let a person settle a call in doubt, and check that exactly those may who may."""
        model, statements = self.model, process.statements
        looked_at = model.now - timedelta(seconds=200 if flaw == "early" else 0)
        statement = statements.prepare_resolution(
            doubt_id(CallKey(*slot.key)), verdict, resolver=who, looked_at=looked_at, text="saw it"
        )
        if flaw == "attempt":
            statement = statement.model_copy(update={"attempt": statement.attempt - 1})
        row = self.claim(slot)
        request = slot.request
        may = (
            flaw not in ("attempt", "key")
            and row["status"] == "in_doubt"
            and not model.directory_fails
            and (who, 0) in model.live_keys
            and who in model.groups["ops" if request is None else "finance"]
            and who.casefold() not in {AGENT, slot.acting_for or AGENT}
            and (verdict is not Verdict.NOT_HAPPENED or looked_at > _moment(row["lease_until"]))
            and not (request is not None and request.tampered)
        )
        key = KEYS[MAX if flaw == "key" else who, 0]
        try:
            await statements.resolve(sign(statement, key))
        except (ApprovalError, DirectoryError) as error:
            assert not may, error
            return
        finally:
            if self.claim(slot)["status"] == "not_happened":
                slot.resolved_no = True
                slot.erred |= slot.effects > 0 or self.bank.in_flight > 0 or any(
                    orphan is slot for orphan, _ in self.bank.orphans
                )
                slot.told_no = True
        assert may or (request is not None and request.tampered), "a resolution counts that may not"
        model.reached["resolved"] += 1

    # -- rules: the world --------------------------------------------------------------------------

    @rule(step=st.sampled_from([1, 1, 10, 10, 130, LEASE_S + 1, LEASE_S + 1, 305, 601, 20 * 60, 31 * 60, 61 * 60]))
    def pass_time(self, step: int) -> None:
        self.model.now += timedelta(seconds=step)

    @rule(
        what=st.sampled_from(["member", "key", "fails", "slow", *["restore"] * 4]),
        who=st.sampled_from([ANA, RAJ, MAX, LEA]),
        group=st.sampled_from(["finance", "finance", "leads"]),
        number=st.sampled_from([0, 0, 1]),
    )
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

    @rule(
        what=st.sampled_from(["crash_soon"] * 4 + ["crash", "sweep", "deploy", "drift", "write", "cancel", "arrive", "lose"]),
        at=processes,
        thread=threads,
        variant=st.sampled_from(VARIANTS),
        steps=st.integers(0, 3),
        flag=st.booleans(),
    )
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

    @precondition(lambda self: any(map(self.model.waits, self.model.requests.values())))
    @rule(number=numbers, kind=st.sampled_from(["vote", "copied", "status", "quorum", "glass"]), wake=st.booleans())
    def tamper(self, number: int, kind: str, wake: bool) -> None:
        """Let somebody with the database's password, and no key, write into it."""
        request = self.request(number)
        if request is None or request.status != "pending":
            return
        self.tampers(request, kind)
        if wake:
            self.walks_root(request, 0)

    def tampers(self, request: Request, kind: str) -> None:
        request.tampered = True
        self.model.reached["tampered"] += 1
        if kind in ("vote", "copied", "glass"):
            answer = Answer.BREAK_GLASS if kind == "glass" else Answer.APPROVE
            text = WHY if kind == "glass" else None
            with suppress(ApprovalError):
                vote = self.statement(self.processes[0], request, answer, RAJ, text=text)
                second = KEYS[ANA, 1] if kind == "glass" else None
                signed = sign(vote, KEYS[ANA, 0], second=second)
                old = [one for one, *_ in self.pool if one.vote.approver == RAJ and one.vote.answer is answer]
                if kind == "copied" and old:
                    signed = signed.model_copy(update={"signature": old[-1].signature})
                with suppress(Exception):  # he may have voted
                    _rows.put_vote(self.db, signed)
        if kind == "quorum":
            self.db.execute(
                "UPDATE requests SET quorum = 1, document = json_set(document, '$.quorum', 1) WHERE id = ?",
                (request.id,),
            )
        by = self.model.now + 10 * MINUTE
        self.db.execute(
            "UPDATE requests SET status = 'approved', execute_by = ?, broke_glass = ? WHERE id = ?",
            (_micros(by), kind == "glass", request.id),
        )

    # -- what must hold after each step --------------------------------------------------------------

    def claim(self, slot: Slot) -> Any:
        where = "thread = ? AND entry = ? AND turn = ? AND digest = ? AND occurrence = ?"
        return self.db.execute(f"SELECT * FROM claims WHERE {where}", tuple(slot.key)).fetchone()

    def sync(self) -> None:
        """Compare where the requests stand with the model."""
        for row in self.db.execute("SELECT *, document ->> '$.digest' AS over FROM requests ORDER BY number").fetchall():
            request = self.model.requests.get(row["id"]) or self.opened(row)
            self.compare(request, row)
        self.check_claims()

    def opened(self, row: Any) -> Request:
        """Return the request that was written since the last step, as the plain rules have it."""
        model = self.model
        document = json.loads(row["document"])
        parent = model.requests.get(document["parent"] or "")
        key = CallKey(*(row[name] for name in ("thread", "entry", "turn", "digest", "occurrence")))
        created_at = datetime.fromisoformat(document["created_at"])
        if parent is None:
            [slot] = [one for one in model.slots if one.key == key]
            variant = next(one.variant for one in self.processes if self.digest_fits(one, slot, document))
            terms, tag = terms_of(variant, slot.tool, slot.cents), tag_of(variant, slot.tool)
            assert terms is not None
            assert terms.quorum
            decide_by = created_at + terms.decide
            escalate_at = None if terms.escalate is None else created_at + terms.escalate
        else:
            old = parent.slot
            asked_cents, _, terms, tag = self.shown[row["over"]]
            assert any(one.answer == "edit" and one.digest == row["over"] for one in parent.votes), "an unsigned edit"
            place = (old.thread, old.entry, old.turn, old.tool, asked_cents, old.occurrence)
            slot = Slot(*place, acting_for=old.acting_for, task=None, key=key, together=set(old.together))
            model.slots.append(slot)
            if not terms.quorum:
                terms = terms._replace(quorum=1, editor=True)
            decide_by, escalate_at = parent.decide_by, parent.escalate_at
        assert _moment(row["decide_by"]) == decide_by
        members = frozenset(document["members"])
        request = Request(
            row["id"], row["over"], slot, terms, tag, members, created_at, decide_by, escalate_at, parent
        )
        slot.request = model.requests[request.id] = request
        if parent is not None:
            model.approve_if_met(request, self.began)
        return request

    def digest_fits(self, process: Process, slot: Slot, document: Any) -> bool:
        """Return whether *process* may have written the request: it decides by the same entries of the policy."""
        return bool(process.services.policy.entries_digest(f"bank/{slot.tool}") == document["policy"])

    def compare(self, request: Request, row: Any) -> None:
        model, real = self.model, row["status"]
        if real == "consumed" and request.status != "consumed":
            claim = self.claim(request.slot)
            variant = self.variant_of[claim["owner"]]
            wrong = model.check_consumed(request, variant, _moment(claim["admitted_at"]))
            assert wrong is None, f"admitted {wrong}"
        model.pass_time()
        if real == "pending" and model.now >= _moment(row["decide_by"]):
            real = "expired"
        if real == "approved" and model.now >= _moment(row["execute_by"]):
            real = "lapsed"
        dead = real not in ("pending", "approved", "consumed")
        if real == request.status:
            assert real != "approved" or request.tampered or _moment(row["execute_by"]) == request.execute_by
        elif request.is_dead:
            assert dead, f"{request.status} in truth, {real} in the store"
            assert real == request.status or request.status not in ("rejected", "answered")
        elif request.tampered:
            if dead:
                model.end(request, real)
        else:
            assert real in self.may_end, f"{request.status} in truth, {real} in the store"
            model.end(request, real)

    @invariant()
    def the_store_agrees_with_the_model(self) -> None:
        self.may_end = set()
        self.sync()

    def check_claims(self) -> None:
        """Compare what stands in the claims with what happened."""
        now = self.model.now
        listed = {tuple(claim.key) for claim in self.processes[0].store.doubts(now=now, limit=1_000)}
        for slot in self.model.slots:
            row = self.claim(slot)
            if row is None:
                assert not slot.sends, "sent without a claim"
                continue
            status = row["status"]
            lapsed = status == "sending" and now >= _moment(row["lease_until"])
            if status in ("in_doubt", "conflict") or lapsed:
                assert tuple(slot.key) in listed, "a doubt that is not listed"
            if status in ("closed", "failed"):
                assert not slot.effects, f"it happened, and the claim is {status}"
                assert status == "failed" or not slot.sends
                slot.closed = True
            assert not slot.told_done or (slot.effects and status in ("executed", "happened", "conflict"))
            assert status != "executed" or slot.effects
            assert status != "not_happened" or slot.resolved_no
            assert not (status == "executed" and slot.resolved_no)

    @invariant()
    def no_question_is_asked_twice_on_a_thread(self) -> None:
        waiting = [
            (one.slot.thread, one.slot.tool, one.slot.cents, one.slot.acting_for)
            for one in self.model.requests.values()
            if one.parent is None and self.model.waits(one) and not one.tampered
        ]
        assert len(waiting) == len(set(waiting))

    @invariant()
    def the_audit_log_is_a_chain(self) -> None:
        for sequence, body, digest in self.db.execute(
            "SELECT sequence, body, hash FROM audit WHERE sequence >= ? ORDER BY sequence", (self.audited,)
        ):
            assert sequence == self.audited
            assert json.loads(body)["previous"] == self.previous
            assert hashlib.sha256(b"\x00" + body).hexdigest() == digest
            self.audited, self.previous = sequence + 1, digest


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def _config(thread: str) -> Any:
    return {"configurable": {"thread_id": thread, "__pregel_durability": "sync"}}


def _moment(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.fixture(autouse=True)
def _one_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every transaction run where it is called, and waiting take the model's time: so that runs repeat."""
    monkeypatch.setattr(_writer, "HERE_BELOW_S", inf)
    monkeypatch.setattr(_writer, "FLUSH_AFTER_S", 3_600.0)
    init = Approvals.__init__

    def started(machine: Approvals) -> None:
        init(machine)
        monkeypatch.setattr(_door, "asyncio", waiting_takes_time(machine.model))

    monkeypatch.setattr(Approvals, "__init__", started)


SHORT = settings(
    max_examples=60,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.requirement("I2")
@pytest.mark.requirement("I4")
@pytest.mark.requirement("I6")
@pytest.mark.requirement("I7")
@pytest.mark.requirement("I8")
def test_no_sequence_executes_an_effect_without_a_quorum_over_exactly_what_was_sent_nor_twice() -> None:
    run_state_machine_as_test(Approvals, settings=SHORT)


# -- the same, by hand: what the machine has to be able to reach ----------------------------------


def opened_machine() -> Approvals:
    machine = Approvals()
    machine.begin(acting=False, proposed=[])
    return machine


def held(machine: Approvals, tool: str, cents: int = 500) -> Request:
    [slot] = machine.proposes("t0", [(tool, cents)])
    assert slot.request is not None
    return slot.request


def approved(machine: Approvals, request: Request, *who: str, mode: str = "ok") -> None:
    for one in who:
        machine.say(request, Answer.APPROVE, one)
    machine.bank.mode = mode
    machine.walks_root(request, 0)


def by_quorum(machine: Approvals) -> None:
    approved(machine, held(machine, "wire"), ANA, RAJ)


def by_edit(machine: Approvals) -> None:
    request = held(machine, "wire")
    machine.edits(request, RAJ, 600)
    [edited] = [one for one in machine.model.requests.values() if one.parent is request]
    approved(machine, edited, ANA, RAJ)  # who edited it does not count
    assert edited.status == "pending"
    approved(machine, edited, BOB)


def by_its_editor(machine: Approvals) -> None:
    request = held(machine, "pay")
    machine.edits(request, RAJ, 600)
    machine.walks_root(request, 0)


def by_delegate(machine: Approvals) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.DELEGATE, ANA, delegate=BOB)
    approved(machine, request, BOB, ANNA)  # another name of who delegated
    assert request.status == "pending"
    approved(machine, request, RAJ)


def by_backup(machine: Approvals) -> None:
    request = held(machine, "wire")
    approved(machine, request, LEA, ANA)
    machine.pass_time(20 * 60)
    approved(machine, request, LEA)


def by_glass(machine: Approvals) -> None:
    request = held(machine, "wire")
    machine.say(request, Answer.BREAK_GLASS, MAX, text=WHY, flaw="second")
    assert request.status == "pending"
    machine.say(request, Answer.BREAK_GLASS, MAX, text=WHY)
    machine.walks_root(request, 0)


def killed_after_sending(machine: Approvals) -> None:
    request = held(machine, "wire")
    approved(machine, request, ANA, RAJ, mode="killed_after")
    machine.pass_time(LEASE_S + 1)
    machine.walks_root(request, 0)
    assert machine.claim(request.slot)["status"] == "in_doubt"
    machine.run(
        machine.processes[0], machine.resolve_one(machine.processes[0], request.slot, RAJ, Verdict.HAPPENED, flaw=None)
    )
    machine.walks_root(request, 0)
    assert request.slot.told_done


def killed_and_sent_again(machine: Approvals) -> None:
    request = held(machine, "pay")
    approved(machine, request, ANA, mode="killed_sent")
    machine.pass_time(LEASE_S + 1)
    machine.walks_root(request, 0)
    assert request.slot.sends == 2
    machine.deliver(arrives=True)


REACHED = {
    "a quorum": (by_quorum, "sent"),
    "an edit": (by_edit, "edited"),
    "an edit by who may approve": (by_its_editor, "edited"),
    "a delegation": (by_delegate, "delegated"),
    "the backup": (by_backup, "escalated"),
    "broken glass": (by_glass, "glass"),
    "a crash between sending and settling": (killed_after_sending, "killed_after"),
    "an idempotent call that is sent again": (killed_and_sent_again, "killed_sent"),
}


@pytest.mark.requirement("I4")
@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("play", "reached"), REACHED.values(), ids=REACHED)
def test_the_machine_reaches_one_effect_and_never_two(play: Callable[[Approvals], None], reached: str) -> None:
    machine = opened_machine()
    try:
        play(machine)
        assert machine.model.reached[reached]
        assert machine.model.reached["effect"] == 1
        for at in (0, 1):
            machine.wake_twice_at_once(0, at, "ok")
            machine.the_store_agrees_with_the_model()
        assert machine.model.reached["effect"] == 1
    finally:
        machine.teardown()


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_no_longer_sequence_executes_an_effect_without_a_quorum_either() -> None:
    run_state_machine_as_test(Approvals, settings=settings(SHORT, max_examples=3_000, stateful_step_count=60))
