"""Who counts: the directory and the proofs of identity, asked anew each time (DESIGN I7).

Where either cannot answer, that is a deny (DESIGN I6).
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from guarded_agents.approval import (
    Authenticator,
    Directory,
    Proof,
    SignedStatement,
    glass_stands,
    groups_asked,
    is_barred,
    proof_of,
    second_of,
)
from guarded_agents.binding import person
from guarded_agents.errors import DirectoryError, ProofError
from guarded_agents.nodes._accounts import check_own, sharing
from guarded_agents.nodes._loop import HomeLoop
from guarded_agents.records import (
    HOLDERS,
    Answer,
    ApprovalRequest,
    BreakGlassTerms,
    Electorate,
    SignedVote,
)
from guarded_agents.stores import Proven, Store


class Circle(NamedTuple):
    """Who is asked about a request now: the members of each group, the request's own first, and who holds a glass."""

    groups: Mapping[str, frozenset[str]]
    holders: frozenset[str]

    @property
    def electorate(self) -> Electorate:
        """Return everybody who may answer now."""
        return Electorate(frozenset[str]().union(*self.groups.values()), self.holders)

    def group_of(self, who: str, answer: Answer | None) -> str:
        """Return the group in whose name a statement of *who* counts, which is a vote where it has an *answer*.

        It is the first that *who* is in, else the first of all. A glass is broken in the name of those who hold it.
        """
        if answer is Answer.BREAK_GLASS:
            return HOLDERS
        return next((group for group, members in self.groups.items() if who in members), next(iter(self.groups)))


class Heard(NamedTuple):
    """A proven statement: who is asked about it now, the group in whose name it counts, and what proves it there."""

    circle: Circle
    group: str
    credentials: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class People:
    """The directory and the authenticator of one guard, and what its policy says of emergencies."""

    directory: Directory
    authenticator: Authenticator
    glass: BreakGlassTerms | None
    store: Store
    home: HomeLoop
    timeout_s: float

    async def members(self, group: str) -> frozenset[str]:
        """Return who belongs to *group* now. Raises DirectoryError."""
        return await self.home.run(self.directory.members(group))

    async def circle(self, request: ApprovalRequest, *, now: datetime) -> Circle:
        """Return who is asked about *request* at *now* (UTC): its group, later a backup too. Raises DirectoryError."""
        return await self._circle(groups_asked(request, now=now))

    async def _circle(self, asked: Sequence[str]) -> Circle:
        groups = {group: await self.members(group) for group in asked}
        return Circle(groups, frozenset() if self.glass is None else self.glass.holders)

    async def heard(
        self, signed: SignedStatement, request: ApprovalRequest | None, *, asked: Sequence[str], now: datetime
    ) -> Heard:
        """Prove the fresh *signed* at *now* (UTC), look up who belongs to the groups *asked*, and return both.

        It is proven first of all: nobody else makes us ask the directory, or is told more. It counts in the name of
        the first group that its author belongs to, and is proven in that of no other. Raises DirectoryError, and
        ProofError, also where what proves it has proven another person's vote on *request*.
        """
        answer, who = signed.vote.answer if isinstance(signed, SignedVote) else None, proof_of(signed).who
        groups = (HOLDERS,) if answer is Answer.BREAK_GLASS else asked
        proven_in, credentials = await self._prove_first(signed, groups, now=now)
        circle = await self._circle(asked)
        group = circle.group_of(who, answer)
        if group != proven_in:
            credentials = await self.prove(signed, group=group, now=now, is_fresh=True)
        if request is not None:
            self._check_own_account(request, who, credentials)
        return Heard(circle, group, credentials)

    def votes_on(self, request: ApprovalRequest) -> tuple[SignedVote, ...]:
        """Return the votes on *request*, and those on the one that it is an edit of. Raises StoreError."""
        parents = () if request.parent is None else self.store.votes(request.parent)
        return (*self.store.votes(request.id), *parents)

    async def proven(self, request: ApprovalRequest, *, now: datetime) -> Proven:
        """Return what is proven of *request*, which the caller has verified, at *now* (UTC): who said what, who counts.

        Those count who may answer and whose stored votes bear proofs that still stand. Whoever can write the store
        could put a vote there; nobody can prove one for an approver. Somebody with any vote on it that does not
        stand does not count, nor who shares an account with another voter, nor a broken glass that this guard's
        own terms do not permit.
        Raises DirectoryError and StoreError.
        """
        circle = await self.circle(request, now=now)
        votes = self.votes_on(request)
        said, accounts = list[SignedVote](), list[tuple[str, tuple[str, ...]]]()
        voted, broke, doubtful = set[str](), set[str](), set[str]()
        for signed in votes:
            vote = signed.vote
            credentials = await self._credentials_of(signed, group=circle.group_of(vote.approver, vote.answer), now=now)
            accounts.append((vote.approver, credentials))
            if not credentials:
                if vote.request == request.id or vote.answer is Answer.EDIT:
                    doubtful.add(person(vote.approver))
                continue
            said.append(signed)
            if vote.answer is not Answer.BREAK_GLASS:
                voted.add(vote.approver)
            elif glass_stands(request, vote, self.glass, now=now):
                broke.add(vote.approver)
        doubtful |= {person(who) for who in sharing(accounts)}
        eligible = circle.electorate if _knows_editor(request, said) else Electorate(frozenset())
        counting = Electorate(
            frozenset(who for who in eligible.voters & voted if person(who) not in doubtful),
            frozenset(who for who in eligible.holders & broke if person(who) not in doubtful),
        )
        return Proven(request, votes, tuple(said), counting, self.glass)

    async def text_of(self, request: ApprovalRequest, answer: Answer, *, now: datetime) -> str | None:
        """Return the text of the proven vote that gave *answer* to *request*, which the caller has verified.

        None where there is none by somebody who may answer now: what else stands in a row anybody may have
        written. Raises DirectoryError and StoreError.
        """
        circle = await self.circle(request, now=now)
        for signed in self.store.votes(request.id):
            vote = signed.vote
            if (
                (vote.request, vote.digest, vote.answer) == (request.id, request.digest, answer)
                and vote.approver in circle.electorate.voters
                and not is_barred(vote.approver, request.requester)
                and await self._credentials_of(signed, group=circle.group_of(vote.approver, vote.answer), now=now)
            ):
                return vote.text
        return None

    def _check_own_account(self, request: ApprovalRequest, who: str, credentials: Sequence[str]) -> None:
        """Raise ProofError where one of *credentials*, which prove what *who* says, proved another person's vote.

        Asked are the votes on *request* and on its parent as they came in, whatever has become of their keys since.
        Raises StoreError.
        """
        parents = () if request.parent is None else self.store.speakers(request.parent)
        check_own(who, credentials, (*self.store.speakers(request.id), *parents))

    async def _credentials_of(self, signed: SignedVote, *, group: str, now: datetime) -> tuple[str, ...]:
        """Return the ids of what proves a vote on record at *now* (UTC), none where it stands no more.

        Raises DirectoryError.
        """
        try:
            return await self.prove(signed, group=group, now=now, is_fresh=False)
        except ProofError:
            return ()

    async def prove(self, signed: SignedStatement, *, group: str, now: datetime, is_fresh: bool) -> tuple[str, ...]:
        """Return the ids of the credentials that prove *signed* in the name of *group*, each another one.

        Breaking the glass takes two. Raises ProofError and DirectoryError.
        """
        second = second_of(signed)
        if second is None and isinstance(signed, SignedVote) and signed.vote.answer is Answer.BREAK_GLASS:
            raise _one_proof("none")
        proofs = (proof_of(signed),) if second is None else (proof_of(signed), second)
        found = [await self._credential(proof, group=group, now=now, is_fresh=is_fresh) for proof in proofs]
        if len(set(found)) != len(found):
            raise _one_proof("one by the same")
        return tuple(found)

    async def _prove_first(
        self, signed: SignedStatement, groups: Sequence[str], *, now: datetime
    ) -> tuple[str, tuple[str, ...]]:
        """Return the first of *groups* in whose name the fresh *signed* is proven, and the credentials that prove it.

        Raises ProofError, that of the first group, and DirectoryError.
        """
        own, *later = groups
        try:
            return own, await self.prove(signed, group=own, now=now, is_fresh=True)
        except ProofError:
            for group in later:
                with suppress(ProofError):
                    return group, await self.prove(signed, group=group, now=now, is_fresh=True)
            raise

    async def _credential(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:
        """Return the id of the credential; an authenticator of the application's own may fail in any way."""

        async def verified() -> object:
            return await self.authenticator.verify(proof, group=group, now=now, is_fresh=is_fresh)

        try:
            async with asyncio.timeout(self.timeout_s):
                found = await self.home.run(verified())
        except (DirectoryError, ProofError):
            raise
        except TimeoutError:
            raise _untold("none in time") from None
        except Exception as error:  # whatever it is leaves the question open; nothing here interrupts or executes
            raise _untold(type(error).__name__) from error
        if not isinstance(found, str) or not found:
            raise _untold("something else")
        return found


def _knows_editor(request: ApprovalRequest, said: Sequence[SignedVote]) -> bool:
    """Return whether it is proven who edited *request*, where who did has no vote on it: the row could be gone."""
    return (
        request.parent is None
        or request.editor_may_approve
        or any(
            (signed.vote.request, signed.vote.digest, signed.vote.answer)
            == (request.parent, request.digest, Answer.EDIT)
            for signed in said
        )
    )


def _one_proof(got: str) -> ProofError:
    return ProofError(
        "second signature",
        expected="one by another key of the same person",
        got=got,
        action="register a second key, and sign with both",
    )


def _untold(got: str) -> DirectoryError:
    return DirectoryError(
        "proof of identity",
        expected="the id of the credential that proves it, or a ProofError",
        got=got,
        action="look at the authenticator, then try again",
    )
