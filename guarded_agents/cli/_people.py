"""Who may answer a request, and whose the votes on it are: as the policy beside the store and its keys tell."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from guarded_agents.approval import groups_asked, may_answer, proof_of, second_of
from guarded_agents.cli._opened import authenticators, directory_of
from guarded_agents.cli._options import Deployment
from guarded_agents.errors import ConfigurationError, DirectoryError, ProofError
from guarded_agents.records import HOLDERS, Answer, ApprovalRequest, Electorate, Scheme, SignedVote

if TYPE_CHECKING:
    from guarded_agents.approval import Authenticator
    from guarded_agents.policy import Policy


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
    try:
        second = second_of(signed)
        proofs = [proof_of(signed)] if second is None else [proof_of(signed), second]
        if any(proof.scheme not in known for proof in proofs):
            return None
        is_glass = vote.answer is Answer.BREAK_GLASS
        for group in (HOLDERS,) if is_glass else groups_asked(request, now=request.decide_by):
            try:
                ids = {
                    await known[proof.scheme].verify(proof, group=group, now=now, is_fresh=False) for proof in proofs
                }
            except ProofError:
                continue
            return len(ids) == len(proofs) and (not is_glass or second is not None)
    except DirectoryError:
        return None
    except ProofError:  # it cannot even be spelt
        pass
    return False


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


__all__ = ["Asked", "CastVote", "asked", "cast_votes"]
