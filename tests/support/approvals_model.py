"""A plain model of DESIGN sections 8 and 8b: who has truly signed what, what follows of it, what was sent.

It shares no code with the product. Names, digests and nonces are opaque to it: it remembers what a person was shown
under a digest, and which keys that person put under it.
"""

from collections import Counter
from datetime import datetime, timedelta

from tests.support.approvals_facts import (
    AGENT,
    ASK_AGAIN_S,
    CAPACITY,
    LEA,
    Request,
    Slot,
    person,
    tag_of,
    terms_of,
)
from tests.support.approvals_votes import Votes


class Model(Votes):
    """What is true in the world, and what follows by the rules."""

    def __init__(self) -> None:
        super().__init__()
        self.current: dict[str, str] = {}  # thread to entry
        self.acting_for: dict[tuple[str, str], str | None] = {}
        self.requests: dict[str, Request] = {}
        self.drifted = False
        self.reached: Counter[str] = Counter()

    # -- what is asked ---------------------------------------------------------------------------

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
            gone.handed_on = True
            if gone.asked_at is not None:
                at, gone.asked_at = max(gone.asked_at, self.now), None
                self._tell_of_next(gone, at)

    def hand_on(self, gone: Request, at: datetime) -> None:
        """Let people be told of another of the question of *gone*, settled at *at*, if they are of none."""
        gone.handed_on = True
        if gone.asked_at is None:
            return
        again = timedelta(seconds=ASK_AGAIN_S)
        same = [one for one in self.requests.values() if one.slot.question == gone.slot.question]
        if gone.asked_at > at:
            due, gone.asked_at = gone.asked_at, None
        elif any(one.asked_at and one.is_open and at < one.decide_by for one in same):
            return
        else:
            due = max(at, again + max(one.asked_at for one in same if one.asked_at is not None))
        self._tell_of_next(gone, max(due, at + again) if gone.status == "rejected" else due)

    def _tell_of_next(self, gone: Request, at: datetime) -> None:
        for one in self.requests.values():
            is_same = one.slot.question == gone.slot.question and one is not gone
            if is_same and one.is_open and one.asked_at is None and one.decide_by > at:
                one.asked_at = at
                return

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
