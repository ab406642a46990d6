"""Who counts: the directory and the proofs of identity, asked anew each time (DESIGN I7).

Where either cannot answer, that is a deny (DESIGN I6).
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from guarded_agents.approval import (
    Authenticator,
    Directory,
    Proof,
    SignedStatement,
    groups_asked,
    proof_of,
    second_of,
)
from guarded_agents.errors import DirectoryError, ProofError
from guarded_agents.nodes._loop import HomeLoop
from guarded_agents.records import (
    Answer,
    ApprovalRequest,
    BreakGlassTerms,
    Electorate,
    SignedVote,
)
from guarded_agents.stores import Store

NO_ELECTORATE: Final = Electorate(frozenset())


class Circle(NamedTuple):
    """Who is asked about a request now: the members of each group, the request's own first, and who holds a glass."""

    groups: Mapping[str, frozenset[str]]
    holders: frozenset[str]

    @property
    def electorate(self) -> Electorate:
        """Return everybody who may answer now."""
        return Electorate(frozenset[str]().union(*self.groups.values()), self.holders)

    def group_of(self, who: str) -> str:
        """Return the group in whose name *who* answers: the first that they belong to, else the request's own."""
        return next((group for group, members in self.groups.items() if who in members), next(iter(self.groups)))


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
        groups = {group: await self.members(group) for group in groups_asked(request, now=now)}
        return Circle(groups, frozenset() if self.glass is None else self.glass.holders)

    def votes_on(self, request: ApprovalRequest) -> tuple[SignedVote, ...]:
        """Return the votes on *request*, and those on the one that it is an edit of. Raises StoreError."""
        parents = () if request.parent is None else self.store.votes(request.parent)
        return (*self.store.votes(request.id), *parents)

    async def proven(self, request: ApprovalRequest, *, now: datetime) -> Electorate:
        """Return those who may answer *request* at *now* (UTC) and whose stored votes bear proofs that still stand.

        Whoever can write the store could put a vote there; nobody can prove one for an approver. Somebody with any
        vote that does not stand does not count. Raises DirectoryError and StoreError.
        """
        circle = await self.circle(request, now=now)
        voted, broke, doubtful = set[str](), set[str](), set[str]()
        for signed in self.votes_on(request):
            who = signed.vote.approver
            try:
                await self.prove(signed, group=circle.group_of(who), now=now, is_fresh=False)
            except ProofError:
                doubtful.add(who)
            else:
                (broke if signed.vote.answer is Answer.BREAK_GLASS else voted).add(who)
        eligible = circle.electorate
        return Electorate((eligible.voters & voted) - doubtful, (eligible.holders & broke) - doubtful)

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
