"""A plain model of DESIGN sections 8 and 8b: who has truly signed what, what follows of it, what was sent.

It shares no code with the product. Names, digests and nonces are opaque to it: it remembers what a person was shown
under a digest, and which keys that person put under it.
"""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.support.approvals_facts import (
    AGENT,
    AHEAD,
    ASK_AGAIN_S,
    CAPACITY,
    GLASS_S,
    GLASSED,
    LEA,
    PER_PERSON,
    REVIEW_S,
    UNGLASSED,
    Cast,
    Glass,
    Request,
    Slot,
    person,
    tag_of,
    terms_of,
)
from tests.support.approvals_voters import Voters


class Model(Voters):
    """What is true in the world, and what follows by the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.current: dict[str, str] = {}  # thread to entry
        self.acting_for: dict[tuple[str, str], str | None] = {}
        self.slots: list[Slot] = []
        self.requests: dict[str, Request] = {}
        self.glasses: list[Glass] = []
        self.nonces: dict[tuple[str, str], object] = {}
        self.drifted = False
        self.quarantined = False  # the drift was seen by the process that is asked
        self.reached: Counter[str] = Counter()

    # -- what a vote does ------------------------------------------------------------------------

    def accepts(
        self, request: Request, vote: Any, keys: tuple[tuple[str, int], ...], asked: Any, variant: str, began: datetime
    ) -> bool:
        """Return whether *vote*, under *keys*, counts where it came in at *began* and reached the store now.

        *asked* is what was on the screen when it was signed: (cents, digest, terms, tag).
        """
        name, answer = vote.approver, vote.answer.value
        if not self._is_in_order(request, vote, keys, began) or tag_of(variant, request.slot.tool) != request.tag:
            return False
        if self._is_late(request, vote, keys, None if asked is None else asked[2], began):
            return False
        if answer == "break_glass":
            may = self._may_break(request, vote, variant)
        elif answer == "edit":
            return name in self.eligible(request, began) and self._may_edit(request, vote, asked, variant, began)
        elif answer == "delegate":
            may = self._may_delegate(request, name, vote.delegate, began)
        else:
            may = name in self.eligible(request, began)
        if answer in ("approve", "delegate"):
            may = may and person(name) not in self.voteless_editors(request)
        return may and vote.digest == request.digest

    def _is_in_order(self, request: Request, vote: Any, keys: tuple[tuple[str, int], ...], began: datetime) -> bool:
        """Return whether *vote* is proven, in time, new, and by somebody who is not barred."""
        name, needs = vote.approver, 2 if vote.answer.value == "break_glass" else 1
        return (
            not self.directory_fails
            and request.status == "pending"
            and self.now < request.decide_by
            and len(set(keys)) == needs
            and all(key[0] == name and key in self.live_keys for key in keys)
            and not self.barred(request, name)
            and request.created_at <= vote.at < request.decide_by
            and vote.at <= began + AHEAD
            and self.nonces.get((name, vote.nonce), vote) == vote
            and all(cast.name != name for cast in request.votes)  # again, or otherwise: either way nothing changes
        )

    def _is_late(
        self, request: Request, vote: Any, keys: tuple[tuple[str, int], ...], terms: Any, began: datetime
    ) -> bool:
        """Return whether *vote* would approve, and was signed too long ago for the call to be sent still."""
        signed, within = vote.at, request.terms.execute
        if vote.answer.value == "break_glass":
            within = min(within, timedelta(seconds=GLASS_S))
        elif vote.answer.value == "edit":
            if terms is None or terms.quorum > 1 or (terms.quorum and not terms.editor):
                return False
            within = terms.execute
        elif vote.answer.value == "approve":
            cast = Cast(vote.approver, "approve", vote.digest, None, keys, vote.at)
            agreed = self.agreed(replace(request, votes=[*request.votes, cast]), began, proven=False)
            if len(agreed) < request.terms.quorum:
                return False
            signed = sorted(agreed.values())[request.terms.quorum - 1]
        else:
            return False
        return bool(self.now >= signed + within + AHEAD)

    def _may_edit(self, request: Request, vote: Any, asked: Any, variant: str, began: datetime) -> bool:
        cents, digest, terms, tag = asked
        slot = request.slot
        if self.quarantined or digest != vote.digest or tag_of(variant, slot.tool) != tag or cents == slot.cents:
            return False
        able = {person(name) for name in request.members if not self.barred(request, name)}
        if terms is None or terms_of(variant, slot.tool, cents) != terms or len(able) < max(terms.quorum, 1):
            return False
        left = {person(name) for name in self.eligible(request, began) if not self.barred(request, name)}
        if terms.quorum > 0 and not terms.editor:
            left -= {person(vote.approver)}
        if len(left) < max(terms.quorum, 1):
            return False
        return self.slot_at(slot.thread, slot.entry, slot.turn, slot.tool, cents, slot.occurrence) is None

    def _may_delegate(self, request: Request, name: str, to: str, at: datetime) -> bool:
        spoken = {person(cast.name) for cast in request.votes}
        named = {person(cast.delegate or "") for cast in request.votes if cast.answer == "delegate"}
        able = {person(one) for one in self.eligible(request, at) if not self.barred(request, one)}
        able -= self.without(request)
        giver, taker = person(name), person(to)
        return (
            name in self.eligible(request, at)
            and giver not in spoken | named
            and taker not in spoken | {giver}
            and to in self.eligible(request, at)
            and taker in able
            and len(able - {giver}) >= request.terms.quorum
        )

    def _may_break(self, request: Request, vote: Any, variant: str) -> bool:
        if vote.approver not in self.holders(variant) or request.terms.hard:
            return False
        if request.slot.tool not in GLASSED - UNGLASSED.get(variant, set()):
            return False
        who = person(vote.approver)
        used = sum(person(glass.by) == who for glass in self.glasses)  # no run lasts as long as the period
        overdue = any(not glass.reviewed and self.now >= glass.due for glass in self.glasses)
        return len(vote.text or "") >= 20 and used < PER_PERSON and not overdue and who not in self.without(request)

    def cast(self, request: Request, vote: Any, keys: tuple[tuple[str, int], ...], began: datetime) -> None:
        """Move *request* as an accepted vote does, but for what an edit opens."""
        answer = vote.answer.value
        request.votes.append(Cast(vote.approver, answer, vote.digest, vote.delegate, keys, vote.at))
        self.nonces[vote.approver, vote.nonce] = vote
        if answer == "approve":
            self.approve_if_met(request, began)
        elif answer == "break_glass":
            self._approve(request, vote.at, min(request.terms.execute, timedelta(seconds=GLASS_S)))
            self.glasses.append(Glass(request, vote.approver, self.now, self.now + timedelta(seconds=REVIEW_S)))
        elif answer != "delegate":
            self.end(request, {"reject": "rejected", "respond": "answered", "edit": "superseded"}[answer])
            request.answered = True

    def approve_if_met(self, request: Request, began: datetime) -> None:
        signed = sorted(self.agreed(request, began, proven=False).values())
        if len(signed) >= request.terms.quorum:
            self._approve(request, signed[request.terms.quorum - 1], request.terms.execute)

    def _approve(self, request: Request, signed: datetime, within: timedelta) -> None:
        request.status, request.settled_at = "approved", self.now
        request.execute_by = min(self.now, signed + AHEAD) + within
        request.answered = True

    def end(self, request: Request, status: str) -> None:
        request.status, request.settled_at = status, self.now

    # -- what is asked ---------------------------------------------------------------------------

    def slot_at(self, thread: str, entry: str, turn: int, tool: str, cents: int, occurrence: int) -> Slot | None:
        place = (thread, entry, turn, tool, cents, occurrence)
        for slot in self.slots:
            if (slot.thread, slot.entry, slot.turn, slot.tool, slot.cents, slot.occurrence) == place:
                return slot
        return None

    def waits(self, request: Request) -> bool:
        return request.status == "pending" and self.now < request.decide_by

    def may_ask(self, slot: Slot, variant: str) -> bool:
        """Return whether a request may be opened for *slot* now."""
        terms = terms_of(variant, slot.tool, slot.cents)
        if terms is None or terms.quorum == 0 or self.directory_fails or slot.closed or slot.told_no:
            return False
        if self.quarantined or slot.sends:
            return False
        bars = {person(AGENT), person(slot.acting_for or AGENT)}
        if len({person(name) for name in self.groups["finance"]} - bars) < terms.quorum:
            return False
        same = [one for one in self.requests.values() if one.slot.question == slot.question]
        if any(self.waits(one) and one.slot.thread == slot.thread for one in same):
            return False
        again = timedelta(seconds=ASK_AGAIN_S)
        if any(one.status == "rejected" and one.settled_at and self.now < one.settled_at + again for one in same):
            return False
        return sum(self.waits(one) or self.was_in_vain(one) for one in self.requests.values()) < CAPACITY

    def was_in_vain(self, request: Request) -> bool:
        """Return whether people were told of *request* a short while ago, and none of them answered."""
        asked_at = request.asked_at
        return not request.answered and asked_at is not None and self.now < asked_at + timedelta(seconds=ASK_AGAIN_S)

    def tell(self, request: Request) -> None:
        """Let the group be told of *request*, which was just opened: of one question once within the time."""
        told = [
            one.asked_at
            for one in self.requests.values()
            if one.slot.question == request.slot.question and one.asked_at is not None
        ]
        again = max(told, default=self.now) + timedelta(seconds=ASK_AGAIN_S)
        if not told or self.now >= again:
            request.asked_at = self.now
        elif max(told) <= self.now:
            request.asked_at = again

    def untell(self, withdrawn: list[Request]) -> None:
        """Let nobody be told of what was withdrawn, for no run delivers: another of its question takes its place."""
        for gone in withdrawn:
            if gone.asked_at is None:
                continue
            at, gone.asked_at = max(gone.asked_at, self.now), None
            silent = [
                one
                for one in self.requests.values()
                if one.slot.question == gone.slot.question
                and one.status == "pending"
                and one.asked_at is None
                and one.decide_by > at
                and one is not gone
            ]
            if silent:
                silent[0].asked_at = at

    # -- what is sent ----------------------------------------------------------------------------

    def check_send(self, slot: Slot | None, tool: str, cents: int, key: str, variant: str) -> str | None:
        """Return which rule a call breaks that is being sent now, None where it breaks none; note that it was sent."""
        if slot is None or (slot.tool, slot.cents) != (tool, cents):
            return "sent what nobody proposed and nobody signed"
        slot.keys_sent.add(key)
        is_first, slot.sends = slot.sends == 0, slot.sends + 1
        terms, request = terms_of(variant, tool, cents), slot.request
        faults = (
            (self.current[slot.thread] != slot.entry, "sent for an entry that was left behind"),
            (slot.told_no or slot.closed, "sent after it was told or closed as not carried out"),
            (len(slot.keys_sent) > 1, "two idempotency keys for one call"),
            (not is_first and tool != "pay", "sent twice"),
            (self.has_rival(slot), "two alternatives of one turn"),
            (terms is None, "sent what the policy denies"),
            (request is None and terms is not None and terms.quorum > 0, "sent without a request"),
            (request is not None and self.drifted, "sent to a tool that has drifted"),
            (request is not None and tag_of(variant, tool) != request.tag, "sent under another policy than approved"),
        )
        wrong = next((fault for is_fault, fault in faults if is_fault), None)
        if wrong is None and request is not None:  # also where it is sent again: it may be the first that arrives
            is_consumed = request.status == "consumed"
            check = self.check_agreed if is_consumed else self.check_consumed
            wrong = check(request, variant, self.now)
        return wrong

    def has_rival(self, slot: Slot) -> bool:
        """Return whether another proposal of the same turn, made in another message, may have happened."""
        place = (slot.thread, slot.entry, slot.turn)
        return any(
            (other.thread, other.entry, other.turn) == place
            and not other.together & slot.together
            and other.may_have_happened
            for other in self.slots
        )

    def check_consumed(self, request: Request, variant: str, at: datetime) -> str | None:
        """Return why *request* may not be consumed at *at*, None where it may; it is consumed then."""
        if request.status == "consumed":
            return None
        if not request.tampered and request.status != "approved":
            return f"a request that is {request.status}"
        if (wrong := self.check_agreed(request, variant, at)) is not None:
            return wrong
        if request.is_dead:
            return f"a request that ended as {request.status}"
        request.status = "consumed"
        by_glass = len(self.agreed(request, at, proven=True)) < request.terms.quorum
        answers = {cast.answer for cast in request.votes}
        self.reached["sent"] += 1
        self.reached["edited"] += request.parent is not None
        self.reached["delegated"] += "delegate" in answers
        self.reached["glass"] += by_glass
        self.reached["escalated"] += any(cast.name == LEA and cast.answer == "approve" for cast in request.votes)
        return None

    def check_agreed(self, request: Request, variant: str, at: datetime) -> str | None:
        """Return why what people agreed to does not let *request* be sent at *at*, None where it does."""
        by_quorum = len(self.agreed(request, at, proven=True)) >= request.terms.quorum
        if not (by_quorum or self.glass_stands(request, variant)):
            return "no quorum, and no glass broken"
        if not request.tampered and (request.execute_by is None or at >= request.execute_by):
            return "after execute-by"
        return "too long after it was signed" if self.is_stale(request, at, proven=True) else None

    def pass_time(self) -> None:
        """Let pass what has passed; where clocks differ, that is for the first of them to say that looks."""
        if self.clocks_differ:
            return
        for request in self.requests.values():
            if request.tampered:
                continue  # whoever writes the file writes its times too
            if request.status == "pending" and self.now >= request.decide_by:
                self.end(request, "expired")
            elif request.status == "approved" and request.execute_by is not None and self.now >= request.execute_by:
                self.end(request, "lapsed")

    def leave(self, thread: str) -> None:
        """Close what the current entry of *thread* left open."""
        withdrawn: list[Request] = []
        for slot in self.slots:
            if (slot.thread, slot.entry) == (thread, self.current.get(thread)) and not slot.sends:
                if slot.request is None or slot.request.status != "consumed":
                    slot.closed = True
                if slot.request is not None and slot.request.status in ("pending", "approved"):
                    self.end(slot.request, "withdrawn")
                    withdrawn.append(slot.request)
        self.untell(sorted(withdrawn, key=lambda request: request.slot.turn))
