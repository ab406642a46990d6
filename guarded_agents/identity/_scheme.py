"""One authenticator for each way in which a statement may be proven."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from guarded_agents.approval import Authenticator, Proof
from guarded_agents.errors import ProofError
from guarded_agents.records import Scheme

_SET_UP: Final = MappingProxyType(
    {
        Scheme.ED25519: "name a file of `signers` in the policy, or prove it by an ID token",
        Scheme.OIDC: "name the provider (--oidc, or authenticators= in Python), or sign with a key",
    }
)


class ByScheme:
    """Hands each proof to the authenticator of its scheme. A scheme that is not set up proves nothing."""

    def __init__(self, authenticators: Mapping[Scheme, Authenticator]) -> None:
        self._authenticators = MappingProxyType(dict(authenticators))

    async def verify(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:
        """Return what the authenticator of the proof's scheme returns. Raises as that does, and ProofError for none."""
        authenticator = self._authenticators.get(proof.scheme)
        if authenticator is None:
            raise ProofError(
                f"proof by {proof.scheme}",
                expected="a scheme that this guard is set up for",
                got="another",
                action=_SET_UP[proof.scheme],
            )
        return await authenticator.verify(proof, group=group, now=now, is_fresh=is_fresh)
