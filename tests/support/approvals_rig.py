"""Two processes over one file beside the plain model, and what must hold of the two after each step."""

import asyncio
import hashlib
import json
import shutil
import tempfile
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine

from guarded_agents.audit import GENESIS, verify
from guarded_agents.errors import GuardError
from guarded_agents.records import CallKey, SignedVote
from tests.support.approvals_facts import THREADS, Request, Slot, tag_of, terms_of
from tests.support.approvals_model import Model
from tests.support.approvals_world import Bank, Killed, Phonebook, Process, rows

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Rig(RuleBasedStateMachine):
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

    def start(self, variant: str, ahead: timedelta = timedelta(0)) -> Process:
        async def started() -> Process:
            process = Process(self.path, self.model, self.bank, self.book, variant, ahead)
            await process.watch.observe("bank")
            return process

        process = self.runner.run(started())
        self.variant_of[process.owner] = variant
        return process

    def end(self, process: Process, variant: str | None = None) -> None:
        """End *process* without a word, and start another in its place."""
        process.store.drop()
        self.processes[self.processes.index(process)] = self.start(variant or process.variant, process.ahead)

    def run(self, process: Process, work: Awaitable[Any], *ends: str) -> Any:
        """Run *work* in *process* to its end, or to that of the process; what it raised is kept.

        *ends* is what may become of open requests.
        """
        self.may_end, self.model.ahead = set(ends), process.ahead
        self.was_killed, self.error, self.began = False, None, self.model.now
        self.model.quarantined = process.is_quarantined
        result = None
        try:
            result = self.runner.run(awaited(work))
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

    # -- what must hold after each step --------------------------------------------------------------

    def claim(self, slot: Slot) -> Any:
        where = "thread = ? AND entry = ? AND turn = ? AND digest = ? AND occurrence = ?"
        return self.db.execute(f"SELECT * FROM claims WHERE {where}", tuple(slot.key)).fetchone()

    def sync(self) -> None:
        """Compare where the requests stand with the model."""
        for row in self.db.execute(
            "SELECT *, document ->> '$.digest' AS over FROM requests ORDER BY number"
        ).fetchall():
            request = self.model.requests.get(row["id"]) or self.opened(row)
            self.compare(request, row)
            if row["settled_at"] is not None and not request.handed_on:
                self.model.hand_on(request, moment(row["settled_at"]))
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
        assert moment(row["decide_by"]) == decide_by
        members = frozenset(document["members"])
        request = Request(row["id"], row["over"], slot, terms, tag, members, created_at, decide_by, escalate_at, parent)
        slot.request = model.requests[request.id] = request
        if parent is None:
            model.tell(request)
        else:
            model.approve_if_met(request, self.began)
            request.asked_at = None if request.answered else model.now
        return request

    def digest_fits(self, process: Process, slot: Slot, document: Any) -> bool:
        """Return whether *process* may have written the request: it decides by the same entries of the policy."""
        return bool(process.services.policy.entries_digest(f"bank/{slot.tool}") == document["policy"])

    def compare(self, request: Request, row: Any) -> None:
        model, real = self.model, row["status"]
        if real == "consumed" and request.status != "consumed":
            claim = self.claim(request.slot)
            variant = self.variant_of[claim["owner"]]
            wrong = model.check_consumed(request, variant, moment(claim["admitted_at"]))
            assert wrong is None, f"admitted {wrong}"
        model.pass_time()
        real = self.ended_by_a_clock(request, row)
        dead = real not in ("pending", "approved", "consumed")
        if real == request.status:
            assert real != "approved" or request.tampered or moment(row["execute_by"]) == request.execute_by
        elif request.is_dead:
            assert dead, f"{request.status} in truth, {real} in the store"
            assert real == request.status or request.status not in ("rejected", "answered")
        elif request.tampered:
            if dead:
                model.end(request, real)
        else:
            is_stale = real == "lapsed" and model.is_stale(request, self.latest(), proven=False)
            assert is_stale or real in self.may_end, f"{request.status} in truth, {real} in the store"
            model.end(request, real)
            model.untell([request] if real == "withdrawn" else [])

    def ended_by_a_clock(self, request: Request, row: Any) -> str:
        """Return where a request stands that is on record as *row*, its time passed or not.

        With one clock that is what the clock says. With several it is what the first of them recorded that looked, and
        *request* ends in the model where one of them may have.
        """
        real, ends = str(row["status"]), {"pending": ("expired", "decide_by"), "approved": ("lapsed", "execute_by")}
        if not self.model.clocks_differ:
            ended, column = ends.get(real, (real, ""))
            return ended if column and self.model.now >= moment(row[column]) else real
        ended, column = ends.get(request.status, ("", ""))
        if real == ended and not request.tampered and self.latest() >= moment(row[column]):
            self.model.end(request, real)
        return real

    def latest(self) -> datetime:
        """Return what the clock says that is the furthest ahead."""
        return max(process.clock() for process in self.processes)

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
                assert not slot.closed or slot.task is None, "left behind, and still open"
                assert not self.model.has_rival(slot), "open, and an alternative of its turn may have happened"
                continue
            status = row["status"]
            lapsed = status == "sending" and now >= moment(row["lease_until"])
            if status in ("in_doubt", "conflict") or lapsed:
                assert tuple(slot.key) in listed, "a doubt that is not listed"
            if status in ("closed", "failed"):
                assert not slot.effects, f"it happened, and the claim is {status}"
                assert slot.proven_not if status == "failed" else not slot.sends
                slot.closed = True
            assert not slot.told_done or status in ("executed", "happened", "conflict")
            assert not slot.told_done or slot.effects or status == "happened"  # that a person has said, rightly or not
            assert status != "executed" or slot.effects
            assert status != "not_happened" or slot.resolved_no
            assert not (status == "executed" and slot.resolved_no)

    def no_question_is_asked_twice_on_a_thread(self) -> None:
        waiting = [
            (one.slot.thread, *one.slot.question)
            for one in self.model.requests.values()
            if one.parent is None and one.status == "pending" and self.latest() < one.decide_by and not one.tampered
        ]
        assert len(waiting) == len(set(waiting))

    def the_audit_log_is_a_chain(self) -> None:
        for sequence, body, digest in self.db.execute(
            "SELECT sequence, body, hash FROM audit WHERE sequence >= ? ORDER BY sequence", (self.audited,)
        ):
            assert sequence == self.audited
            assert json.loads(body)["previous"] == self.previous
            assert hashlib.sha256(b"\x00" + body).hexdigest() == digest
            self.audited, self.previous = sequence + 1, digest


async def awaited(work: Awaitable[Any]) -> Any:
    return await work


def moment(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
