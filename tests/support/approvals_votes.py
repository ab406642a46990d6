"""Which votes count, and what each does, by the plain rules of DESIGN section 8. It shares no code with the product."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.support.approvals_facts import (
    AHEAD,
    GLASS_S,
    GLASSED,
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


class Votes(Voters):
    """What people have signed, and what became of the requests that they signed."""

    def __init__(self) -> None:
        super().__init__()
        self.slots: list[Slot] = []
        self.glasses: list[Glass] = []
        self.nonces: dict[tuple[str, str], object] = {}
        self.quarantined = False  # a drifted tool was seen by the process that is asked

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

    def slot_at(self, thread: str, entry: str, turn: int, tool: str, cents: int, occurrence: int) -> Slot | None:
        place = (thread, entry, turn, tool, cents, occurrence)
        for slot in self.slots:
            if (slot.thread, slot.entry, slot.turn, slot.tool, slot.cents, slot.occurrence) == place:
                return slot
        return None
