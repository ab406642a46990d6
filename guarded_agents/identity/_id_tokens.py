"""An ID token that was made for one statement (OpenID Connect Core 1.0)."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

from guarded_agents.addresses import safe_address
from guarded_agents.approval import Proof, nonce_for
from guarded_agents.errors import ConfigurationError
from guarded_agents.identity._key_set import KINDS, KeySource
from guarded_agents.identity._token import read_claims, read_header, unproven
from guarded_agents.records import Scheme

_MAX_AGE_S: Final = 86_400
_MAX_LEEWAY_S: Final = 300
_MAX_SUBJECT_CHARS: Final = 255  # OpenID Connect Core 1.0 section 2


@dataclass(frozen=True, kw_only=True, eq=False)
class IdTokens:
    """Proves a statement by an ID token whose ``nonce`` is the statement's SHA-256, base64url without padding.

    The approver's client asks the provider for a token with that nonce, so that the provider signs exactly this
    statement. *issuer* and *audience* (the client id) are compared as they stand; further audiences count only where
    *trusted_audiences* names them. The claim *name_claim* has to be the approver's name in the policy, so choose one
    that people cannot change themselves; where it is ``email``, ``email_verified`` has to be true. With
    *group_claim* that claim (an array) has to hold what *groups* maps the approver group to, and a group that
    *groups* does not name proves nothing. A glass is broken in the name of ``break_glass``: let *groups* name that
    too, with what the claim of a holder has to hold. The token is made at most *max_age_s* seconds after the statement;
    *leeway_s* is how far clocks may differ. Raises ConfigurationError where these contradict one another.
    """

    issuer: str
    audience: str
    keys: KeySource = field(repr=False)
    name_claim: str = "email"
    group_claim: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    algorithms: Collection[str] = ("ES256", "EdDSA", "PS256", "RS256")
    trusted_audiences: Collection[str] = ()
    max_age_s: int = 600
    leeway_s: int = 60

    def __post_init__(self) -> None:
        """Raise ConfigurationError for settings that prove nothing, and keep copies of the collections."""
        for name, kept in (
            ("groups", MappingProxyType(dict(self.groups))),
            ("algorithms", frozenset(self.algorithms)),
            ("trusted_audiences", frozenset((self.audience, *self.trusted_audiences))),
        ):
            object.__setattr__(self, name, kept)
        address = safe_address(self.issuer)
        if address is None or "?" in self.issuer:
            raise _unusable("issuer", "an https address without query and fragment")
        if not self.audience or not self.name_claim:
            raise _unusable("audience and name_claim", "a client id and the name of a claim")
        if not self.algorithms or not set(self.algorithms) <= KINDS.keys():
            raise _unusable("algorithms", f"some of {', '.join(KINDS)}")
        if (self.group_claim is None) is not (not self.groups):
            raise _unusable("group_claim and groups", "both or neither")
        if not (0 < self.max_age_s <= _MAX_AGE_S and 0 <= self.leeway_s <= _MAX_LEEWAY_S):
            raise _unusable("max_age_s and leeway_s", f"1 to {_MAX_AGE_S} and 0 to {_MAX_LEEWAY_S} seconds")

    async def verify(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:
        """Return ``oidc:<issuer>:<sub>``, the account that the token is of.

        Checks what applies of OpenID Connect Core 1.0 section 3.1.3.7; that the token has not expired only where
        *is_fresh*, everything else each time: a key that the provider has withdrawn proves nothing any more.
        Raises ProofError, and DirectoryError where the provider's keys cannot be had.
        """
        if proof.scheme is not Scheme.OIDC:
            raise unproven("a proof by ID token", "another kind of proof")
        if self.group_claim is not None and group not in self.groups:
            raise unproven("a group that a claim stands for", "another", "name it in groups")
        header = read_header(proof.signature, allowed=self.algorithms)
        key = await self.keys.find(header.key_id, header.algorithm, now=now)
        claims = read_claims(proof.signature, key, header.algorithm)
        _check_parties(self, claims)
        _check_times(self, claims, proof.at, now=now, is_fresh=is_fresh)
        if claims.get("nonce") != nonce_for(proof.message):
            raise unproven("the nonce of this statement", "another")
        _check_person(self, claims, proof.who, group)
        return f"oidc:{self.issuer}:{_subject(claims)}"


def _check_parties(terms: IdTokens, claims: Mapping[str, object]) -> None:
    """Check who made the token and for whom (section 3.1.3.7, items 2 to 5)."""
    if claims.get("iss") != terms.issuer:
        raise unproven("the issuer that is set up", "another")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if terms.audience not in audiences:
        raise unproven("this client as audience", "another")
    if not all(isinstance(name, str) and name in terms.trusted_audiences for name in audiences):
        raise unproven("trusted audiences only", "another one beside this client")
    if claims.get("azp", None if len(audiences) > 1 else terms.audience) != terms.audience:
        raise unproven("this client as authorized party", "another or none")


def _check_times(
    terms: IdTokens, claims: Mapping[str, object], said_at: datetime, *, now: datetime, is_fresh: bool
) -> None:
    """Check when the token was made and until when it counts (items 9 and 10, RFC 7519 sections 4.1.4 to 4.1.6)."""
    issued, expires = _seconds(claims, "iat"), _seconds(claims, "exp")
    begins = _seconds(claims, "nbf") if "nbf" in claims else issued
    at, said = now.timestamp(), said_at.timestamp()
    if max(issued, begins) > at + terms.leeway_s:
        raise unproven("a token that counts already", "one from the future", "set the clock and sign in again")
    if is_fresh and at >= expires + terms.leeway_s:
        raise unproven("a token that still counts", "one that has expired")
    if not said - terms.leeway_s <= issued <= said + terms.max_age_s:
        raise unproven(f"a token made within {terms.max_age_s} s after the statement", "one of another time")


def _check_person(terms: IdTokens, claims: Mapping[str, object], who: str, group: str) -> None:
    """Check that the token is of the approver (section 5.1), and in the group where a claim tells that."""
    if not who or claims.get(terms.name_claim) != who:
        raise unproven("the approver that the statement names", "somebody else", "sign in as the approver")
    if terms.name_claim == "email" and claims.get("email_verified") is not True:
        raise unproven("an e-mail address that the provider has verified", "one that it has not")
    if terms.group_claim is None:
        return
    belongs = claims.get(terms.group_claim)
    if not isinstance(belongs, list) or terms.groups[group] not in belongs:
        raise unproven("a member of the approver group", "somebody else", "ask to be let into the group")


def _seconds(claims: Mapping[str, object], name: str) -> float:
    """Return the time of a claim in seconds since 1970-01-01 UTC (NumericDate, RFC 7519 section 2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise unproven(f"a time as {name}", "none")
    return float(value)


def _subject(claims: Mapping[str, object]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT_CHARS or not subject.isascii():
        raise unproven(f"a subject of at most {_MAX_SUBJECT_CHARS} ASCII characters", "another or none")
    return subject


def _unusable(subject: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"ID tokens, {subject}", expected=expected, got="something else", action="correct the settings"
    )
