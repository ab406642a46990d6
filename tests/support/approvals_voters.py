"""Who counts for a request at which moment, by the plain rules. It shares no code with the product."""

from datetime import datetime

from tests.support.approvals_facts import AGENT, AHEAD, GROUPS, HOLDERS, MAY_HOLD, NOON, PEOPLE, Cast, Request, person


class Voters:
    """Who is in which group and whose keys count now, and so who has truly agreed to a request."""

    def __init__(self) -> None:
        self.now = NOON
        self.groups = {group: set(members) for group, members in GROUPS.items()}
        self.live_keys = {(name, number) for name in PEOPLE for number in (0, 1)}
        self.directory_fails = False

    def eligible(self, request: Request, at: datetime | None = None) -> set[str]:
        found = set(self.groups["finance"])
        if request.escalate_at is not None and (at or self.now) >= request.escalate_at:
            found |= self.groups["leads"]
        return found

    def barred(self, request: Request, name: str) -> bool:
        return person(name) in {person(AGENT), person(request.slot.acting_for or AGENT)}

    def without(self, request: Request) -> set[str]:
        """Return who has no vote: who gave it away, and who edited where that is not to count."""
        gave = {person(cast.name) for cast in request.votes if cast.answer == "delegate"}
        return gave | self.voteless_editors(request)

    def voteless_editors(self, request: Request) -> set[str]:
        return set() if request.terms.editor else {person(cast.name) for cast in self._edits(request)}

    def _edits(self, request: Request) -> list[Cast]:
        return [] if request.parent is None else [cast for cast in request.parent.votes if cast.answer == "edit"]

    def agreed(self, request: Request, at: datetime | None = None, *, proven: bool) -> dict[str, datetime]:
        """Return the people who agree and count, and when each signed; with *proven*, by keys that still count."""
        casts = [cast for cast in request.votes if cast.answer == "approve"]
        if request.terms.editor:
            casts += self._edits(request)
        return {
            person(cast.name): cast.at
            for cast in sorted(casts, key=lambda cast: cast.at, reverse=True)
            if cast.digest == request.digest
            and cast.name in self.eligible(request, at)
            and person(cast.name) not in self.without(request)
            and not self.barred(request, cast.name)
            and (not proven or cast.keys[0] in self.live_keys)
        }

    def is_stale(self, request: Request, at: datetime, *, proven: bool) -> bool:
        """Return whether it is too long since enough people signed, whatever the store says of it."""
        signed = sorted(self.agreed(request, at, proven=proven).values())
        last = signed[request.terms.quorum - 1 : request.terms.quorum]
        return bool(last) and at >= last[0] + request.terms.execute + AHEAD

    def holders(self, variant: str) -> set[str]:
        return MAY_HOLD.get(variant, HOLDERS)

    def glass_stands(self, request: Request, variant: str) -> bool:
        return not request.terms.hard and any(
            cast.answer == "break_glass"
            and cast.name in self.holders(variant)
            and len(set(cast.keys)) == 2
            and set(cast.keys) <= self.live_keys
            and not self.barred(request, cast.name)
            for cast in request.votes
        )
