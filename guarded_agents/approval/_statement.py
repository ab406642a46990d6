"""What people sign, and how (Ed25519, RFC 8032)."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final, overload

import rfc8785
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
from pydantic_core import PydanticSerializationError

from guarded_agents.approval._identity import Proof
from guarded_agents.binding import clipped
from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.records import (
    PlanExtension,
    Resolution,
    Review,
    Scheme,
    SignedPlanExtension,
    SignedResolution,
    SignedReview,
    SignedVote,
    Vote,
)

Statement = Vote | Review | Resolution | PlanExtension
SignedStatement = SignedVote | SignedReview | SignedResolution | SignedPlanExtension

NAMESPACE: Final = "guarded-agents"
"""The namespace that an allowed_signers line may be limited to (ssh-keygen(1), ALLOWED SIGNERS)."""

_PREFIXES: Final[Mapping[type[Statement], bytes]] = MappingProxyType(
    {  # keeps one kind of statement from passing for another, or for anything else that is signed
        Vote: b"guarded-agents vote v1\n",
        Review: b"guarded-agents review v1\n",
        Resolution: b"guarded-agents resolution v1\n",
        PlanExtension: b"guarded-agents extension v1\n",
    }
)
LOCKED_KEY: Final = "a password, for the key has one"
"""What `load_private_key` expects where it was given none for a key that has one."""

_OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def statement(of: Statement) -> bytes:
    """Return the bytes that a signature is over: a prefix line, then every field (RFC 8785).

    Times are spelt in UTC with microseconds. Raises ProofError for a time without a zone or beyond the
    years 1 to 9999 in UTC, and for text that JSON cannot spell.
    """
    moments = {name: value for name, value in of if isinstance(value, datetime)}
    if any(moment.utcoffset() is None for moment in moments.values()):
        raise _unspeakable(of, "a time with a zone", "one without")
    try:
        fields = of.model_dump(mode="json") | {name: _spelt(moment) for name, moment in moments.items()}
        return _PREFIXES[type(of)] + rfc8785.dumps(fields)
    except OverflowError:
        raise _unspeakable(of, "a time of the years 1 to 9999 in UTC", "another") from None
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, PydanticSerializationError):
        raise _unspeakable(of, "text without lone surrogates, and numbers below 2^53", "another") from None


def _spelt(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def subject_of(of: Statement) -> str:
    """Return what errors call the statement."""
    if isinstance(of, Vote):
        return f"vote on {of.request}"
    if isinstance(of, PlanExtension):
        return f"extension of the plan of thread {clipped(of.thread)}"
    return f"review of {of.request}" if isinstance(of, Review) else f"resolution of {of.call}"


def _unspeakable(of: Statement, expected: str, got: str) -> ProofError:
    return ProofError(subject_of(of), expected=expected, got=got, action="sign it again")


def commitment(of: Statement) -> str:
    """Return what the nonce of an ID token has to be that proves *of*, as `nonce_for`. Raises ProofError."""
    return nonce_for(statement(of))


def nonce_for(message: bytes) -> str:
    """Return the nonce that stands for a statement, given its bytes: their SHA-256.

    43 characters: base64url without padding (RFC 4648 section 5).
    """
    return urlsafe_b64encode(sha256(message).digest()).decode().rstrip("=")


def proof_of(signed: SignedStatement) -> Proof:
    """Return what an Authenticator is asked about *signed*. Raises ProofError as `statement`."""
    of = _statement_of(signed)
    return Proof(_author(of), statement(of), of.at, signed.scheme, signed.signature)


def second_of(signed: SignedStatement) -> Proof | None:
    """Return what an Authenticator is asked about the second signature, None where there is none.

    The second is by a registered key, however the first was proven. Whether the two credentials differ
    is the caller's to check.
    """
    if signed.second is None:
        return None
    return proof_of(signed)._replace(scheme=Scheme.ED25519, signature=signed.second)


def _statement_of(signed: SignedStatement) -> Statement:
    if isinstance(signed, SignedVote):
        return signed.vote
    if isinstance(signed, SignedPlanExtension):
        return signed.extension
    return signed.review if isinstance(signed, SignedReview) else signed.resolution


def _author(of: Statement) -> str:
    if isinstance(of, Vote | PlanExtension):
        return of.approver
    return of.reviewer if isinstance(of, Review) else of.resolver


@overload
def sign(of: Vote, private_key: Ed25519PrivateKey, *, second: Ed25519PrivateKey | None = None) -> SignedVote: ...
@overload
def sign(of: Review, private_key: Ed25519PrivateKey, *, second: Ed25519PrivateKey | None = None) -> SignedReview: ...
@overload
def sign(
    of: Resolution, private_key: Ed25519PrivateKey, *, second: Ed25519PrivateKey | None = None
) -> SignedResolution: ...
@overload
def sign(
    of: PlanExtension, private_key: Ed25519PrivateKey, *, second: Ed25519PrivateKey | None = None
) -> SignedPlanExtension: ...
def sign(of: Statement, private_key: Ed25519PrivateKey, *, second: Ed25519PrivateKey | None = None) -> SignedStatement:
    """Return *of* with its signature, and with that of a *second* key of the same person. Raises as `statement`."""
    signature = _signature(of, private_key)
    other = None if second is None else _signature(of, second)
    if isinstance(of, Vote):
        return SignedVote(vote=of, signature=signature, second=other)
    if isinstance(of, Review):
        return SignedReview(review=of, signature=signature, second=other)
    if isinstance(of, PlanExtension):
        return SignedPlanExtension(extension=of, signature=signature, second=other)
    return SignedResolution(resolution=of, signature=signature, second=other)


def _signature(of: Statement, private_key: Ed25519PrivateKey) -> str:
    return b64encode(private_key.sign(statement(of))).decode()


def load_private_key(text: bytes, *, password: bytes | None = None) -> Ed25519PrivateKey:
    """Return the Ed25519 private key in *text*: OpenSSH's format, or PEM (PKCS #8, RFC 5958).

    Raises ConfigurationError for another kind of key, a wrong or missing password, and text that
    is no key.
    """
    load = load_ssh_private_key if text.lstrip().startswith(_OPENSSH) else load_pem_private_key
    try:
        key = load(text, password)
    except TypeError:
        if password is None:
            action = "type it when it is asked for, at a terminal"
            raise _unusable(LOCKED_KEY, "none", action=action) from None
        raise _unusable("no password", "one, for a key without", action="leave it out") from None
    except UnsupportedAlgorithm:
        raise _unusable("a key that can be read here", "another kind, or a cipher that is not known here") from None
    except ValueError:
        if password is not None:
            raise _unusable("the key's password", "another, or a broken key", action="try it again") from None
        raise _unusable("an Ed25519 key", "no readable key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable("an Ed25519 key", "another kind of key")
    return key


def _unusable(expected: str, got: str, *, action: str = "make one: ssh-keygen -t ed25519") -> ConfigurationError:
    return ConfigurationError("private key", expected=expected, got=got, action=action)
