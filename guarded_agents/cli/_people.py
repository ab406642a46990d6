"""Who may answer a request, and whose the votes on it are: as the policy beside the store and its keys tell."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from guarded_agents.approval import (
    SignedStatement,
    check_glass,
    groups_asked,
    is_barred,
    may_answer,
    proof_of,
    second_of,
    votes_counted,
)
from guarded_agents.cli._opened import authenticators, directory_of
from guarded_agents.cli._options import Deployment
from guarded_agents.cli._text import clock
from guarded_agents.errors import ConfigurationError, DirectoryError, ProofError
from guarded_agents.moments import utc
from guarded_agents.records import (
    HOLDERS,
    Answer,
    ApprovalRequest,
    Electorate,
    Principal,
    Scheme,
    SignedResolution,
    SignedReview,
    SignedVote,
    StandingRequest,
    Vote,
)

if TYPE_CHECKING:
    from guarded_agents.approval import Authenticator
    from guarded_agents.policy import Policy
    from guarded_agents.stores import Store


class CastVote(NamedTuple):
    """A vote of the store, and whether it is proven to be its author's; None where nothing here can tell."""

    signed: SignedVote
    is_proven: bool | None


class Asked(NamedTuple):
    """A group that may answer, with its members now; None where nobody could be asked who they are."""

    group: str
    members: tuple[str, ...] | None
    since: datetime | None = None  # UTC; a backup's
    editor: str | None = None  # who edited the call and so cannot approve it


def asked_as_json(asked: Asked) -> dict[str, object]:
    """Return a group as JSON, its members, and since when (UTC) it is asked where it was not from the beginning."""
    return {
        "group": asked.group,
        "members": None if asked.members is None else list(asked.members),
        "since": None if asked.since is None else utc(asked.since),
    }


def asked_from(asked: Asked, *, now: datetime) -> str:
    """Return in words from when on the group is asked, nothing where it was not from the beginning."""
    if asked.since is None:
        return ""
    return f", {'since' if asked.since <= now else 'from'} {clock(asked.since, now=now)}"


def asked(
    request: ApprovalRequest, votes: Sequence[CastVote], *, editor: str | None, at: Deployment
) -> tuple[Asked, ...]:
    """Return each group that may answer, now or once it is escalated, without those who may not or have."""
    found, policy = [], _policy(at)
    cast = [vote.signed for vote in votes]
    for group in groups_asked(request, now=request.decide_by):  # by then the backup has joined
        members = _members(group, policy, at)
        electorate = Electorate(members or frozenset())
        left = [name for name in electorate.voters if may_answer(request, name, electorate=electorate, cast=cast)]
        found.append(
            Asked(
                group,
                members=None if members is None else tuple(sorted(left)),
                since=None if group == request.group else request.escalate_at,
                editor=editor,
            )
        )
    return tuple(found)


def cast_votes(
    votes: Sequence[SignedVote], request: ApprovalRequest, *, at: Deployment, now: datetime
) -> tuple[CastVote, ...]:
    """Return *votes*, which the store has under *request*, each with whether it is its author's and about that request.

    Keys come from the policy's signers file, ID tokens count where ``--oidc`` names a provider. Somebody who can write
    the store can put any vote there. Raises ConfigurationError where that file cannot be used.
    """
    known = _known(at) if votes else {}

    async def proven() -> tuple[CastVote, ...]:
        return tuple([CastVote(signed, await _is_proven(signed, request, known, now)) for signed in votes])

    return asyncio.run(proven())


async def _is_proven(
    signed: SignedVote, request: ApprovalRequest, known: "Mapping[Scheme, Authenticator]", now: datetime
) -> bool | None:
    vote = signed.vote
    if vote.request != request.id or (vote.answer is not Answer.EDIT and vote.digest != request.digest):
        return False  # it was taken from another request
    if vote.answer is not Answer.BREAK_GLASS:
        return await _stands(signed, groups_asked(request, now=request.decide_by), known, now)
    return False if signed.second is None else await _stands(signed, (HOLDERS,), known, now)


async def _stands(
    signed: SignedStatement, groups: Sequence[str], known: "Mapping[Scheme, Authenticator]", now: datetime
) -> bool | None:
    """Return whether *signed* is proven in the name of one of *groups*, None where nothing here can tell."""
    try:
        second = second_of(signed)
        proofs = [proof_of(signed)] if second is None else [proof_of(signed), second]
        if any(proof.scheme not in known for proof in proofs):
            return None
        for group in groups:
            try:
                ids = {
                    await known[proof.scheme].verify(proof, group=group, now=now, is_fresh=False) for proof in proofs
                }
            except ProofError:
                continue
            return len(ids) == len(proofs)
    except DirectoryError:
        return None
    except ProofError:  # it cannot even be spelt
        pass
    return False


def says_why(standing: StandingRequest, votes: Sequence[CastVote]) -> bool:
    """Return whether who settled the request is proven to have said the text that stands beside it."""
    said = (standing.settled_by, standing.text)
    return any(cast.is_proven and (cast.signed.vote.approver, cast.signed.vote.text) == said for cast in votes)


def counted(
    request: ApprovalRequest, votes: Sequence[CastVote], *, at: Deployment, now: datetime
) -> tuple[str, ...] | None:
    """Return whose votes count towards the quorum of *request* now; None where nothing here can tell who may answer.

    *votes* are those on it and on the one that it is an edit of. One that is not proven counts for nothing.
    """
    policy = _policy(at)
    members = [_members(group, policy, at) for group in groups_asked(request, now=now)]
    if any(found is None for found in members):
        return None
    electorate = Electorate(frozenset[str]().union(*(found or () for found in members)))
    said = [cast.signed for cast in votes if cast.is_proven is not False]
    return tuple(sorted(votes_counted(request, said, electorate=electorate)))


def resolvers(
    request: ApprovalRequest | None, requester: Principal, *, at: Deployment, now: datetime
) -> tuple[Asked, ...]:
    """Return who may resolve a call in doubt: the groups that its *request* asks, else the operators.

    Of a backup it says since when (UTC), also where that is after *now*.
    """
    policy = _policy(at)
    operators = () if policy is None or policy.operators is None else (policy.operators,)
    found = []
    for group in operators if request is None else groups_asked(request, now=request.escalate_at or now):
        members = _members(group, policy, at)
        able = None if members is None else tuple(sorted(name for name in members if not is_barred(name, requester)))
        since = None if request is None or group == request.group else request.escalate_at
        found.append(Asked(group, able, since))
    return tuple(found)


def check_breaker(vote: Vote, standing: StandingRequest, store: "Store", *, at: Deployment) -> None:
    """Raise the ApprovalError that says why *vote* breaks no glass, as far as it can be told before it is proven."""
    policy, parent = _policy(at), standing.request.parent
    terms = None if policy is None else policy.glass
    holders = frozenset[str]() if terms is None else terms.holders
    edits = () if parent is None else store.votes(parent)
    check_glass(standing, vote, terms, electorate=Electorate(frozenset(), holders), cast=edits)


def reviewers(at: Deployment) -> tuple[str, ...]:
    """Return the group that reviews broken glass, none where nothing here can tell."""
    policy = _policy(at)
    return () if policy is None or policy.glass is None else (policy.glass.reviewers,)


def is_proven(
    signed: SignedReview | SignedResolution, *, groups: Sequence[str], at: Deployment, now: datetime
) -> bool | None:
    """Return whether *signed* is its author's, in the name of one of *groups*; None where nothing here can tell."""
    return asyncio.run(_stands(signed, tuple(groups), _known(at), now)) if groups else None


def _known(at: Deployment) -> "dict[Scheme, Authenticator]":
    """Return what can prove a statement here: what ``--oidc`` names, and the keys of the policy's signers file."""
    from guarded_agents.approval import Signers, parse_allowed_signers

    found, policy = authenticators(at), _policy(at)
    if policy is None or policy.signers is None:
        return found
    path = at.policy_file.parent / policy.signers
    try:
        signers = Signers(parse_allowed_signers(path.read_text(encoding="utf-8"), source=str(path)))
    except (ConfigurationError, OSError, UnicodeDecodeError):
        return found
    return {**found, Scheme.ED25519: signers}


def _policy(at: Deployment) -> "Policy | None":
    """Return the policy, None where there is none that can be read: looking at a request takes no policy."""
    from guarded_agents.policy import load_policy

    try:
        return load_policy(at.policy_file.read_bytes(), source=str(at.policy_file))
    except (ConfigurationError, OSError):
        return None


def _members(group: str, policy: "Policy | None", at: Deployment) -> frozenset[str] | None:
    """Return who is in *group* now, None where nothing here can tell."""
    from guarded_agents.identity import PolicyDirectory

    try:
        outside = directory_of(at)
        if policy is None or (outside is None and group in policy.external_groups):
            return None
        return asyncio.run(PolicyDirectory(policy, outside or _Nobody()).members(group))
    except (ConfigurationError, DirectoryError):
        return None


class _Nobody:
    """Stands in where there is no directory: what it is asked, nobody is shown."""

    async def members(self, group: str) -> frozenset[str]:
        raise DirectoryError(f"group {group}", expected="a directory", got="none", action="name one with --directory")


__all__ = [
    "Asked",
    "CastVote",
    "asked",
    "asked_as_json",
    "asked_from",
    "cast_votes",
    "check_breaker",
    "counted",
    "is_proven",
    "resolvers",
    "reviewers",
    "says_why",
]
