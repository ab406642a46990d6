"""One account speaks for one person: what is proven by another's credential does not count (DESIGN I7).

A key has one owner in the file of signers. An account of an identity provider may be renamed, or be a mailbox of
many, and then proves several names: whoever has it is still one.
"""

from collections.abc import Iterable, Sequence

from guarded_agents.binding import person
from guarded_agents.errors import ProofError


def sharing(proven: Iterable[tuple[str, Sequence[str]]]) -> frozenset[str]:
    """Return who of *proven*, names with the ids of their credentials, shares a credential with another person."""
    owners: dict[str, set[str]] = {}
    proven = tuple(proven)
    for name, credentials in proven:
        for credential in credentials:
            owners.setdefault(credential, set()).add(person(name))
    shared = {credential for credential, people in owners.items() if len(people) > 1}
    return frozenset(name for name, credentials in proven if not shared.isdisjoint(credentials))


def check_own(who: str, credentials: Sequence[str], proven: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Raise ProofError where one of *credentials*, which prove what *who* says, proves what another person said."""
    if who in sharing((*proven, (who, credentials))):
        raise ProofError(
            "proof of identity",
            expected="an account of one's own",
            got="one by which somebody else has spoken",
            action="sign in with your own account, or with a key of yours",
        )
