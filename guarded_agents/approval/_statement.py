"""What an approver signs, and how (Ed25519, RFC 8032)."""

from base64 import b64encode
from datetime import UTC
from typing import Final

import rfc8785
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key
from pydantic_core import PydanticSerializationError

from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.records import SignedVote, Vote

NAMESPACE: Final = "guarded-agents"
"""The namespace that an allowed_signers line may be limited to (ssh-keygen(1), ALLOWED SIGNERS)."""

_PREFIX: Final = b"guarded-agents vote v1\n"  # keeps a vote from passing for anything else that is signed
_OPENSSH: Final = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def statement(vote: Vote) -> bytes:
    """Return the bytes that a vote's signature is over: a prefix line, then every field (RFC 8785).

    The time is spelt in UTC with microseconds. Raises ProofError for a time without a zone or beyond the
    years 1 to 9999 in UTC, and for text that JSON cannot spell.
    """
    if vote.at.utcoffset() is None:
        raise _unspeakable(vote, "a time with a zone", "one without")
    try:
        fields = vote.model_dump(mode="json")
        fields["at"] = vote.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        return _PREFIX + rfc8785.dumps(fields)
    except OverflowError:
        raise _unspeakable(vote, "a time of the years 1 to 9999 in UTC", "another") from None
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, PydanticSerializationError):
        raise _unspeakable(vote, "text without lone surrogates", "one") from None


def _unspeakable(vote: Vote, expected: str, got: str) -> ProofError:
    return ProofError(f"vote on {vote.request}", expected=expected, got=got, action="sign it again")


def sign(vote: Vote, private_key: Ed25519PrivateKey) -> SignedVote:
    """Return *vote* with its signature."""
    return SignedVote(vote=vote, signature=b64encode(private_key.sign(statement(vote))).decode())


def load_private_key(text: bytes, *, password: bytes | None = None) -> Ed25519PrivateKey:
    """Return the Ed25519 private key in *text*: OpenSSH's format, or PEM (PKCS #8, RFC 5958).

    Raises ConfigurationError for another kind of key, a wrong or missing password, and text that
    is no key. An OpenSSH key under a password needs the package ``bcrypt``.
    """
    load = load_ssh_private_key if text.lstrip().startswith(_OPENSSH) else load_pem_private_key
    try:
        key = load(text, password)
    except TypeError:
        raise _unusable("a password exactly where the key has one", "another combination") from None
    except UnsupportedAlgorithm:
        raise _unusable("a key that can be read here", "a cipher that cannot (is bcrypt installed?)") from None
    except ValueError:
        raise _unusable("an Ed25519 key and its password", "no readable key, or another password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable("an Ed25519 key", "another kind of key")
    return key


def _unusable(expected: str, got: str) -> ConfigurationError:
    return ConfigurationError("private key", expected=expected, got=got, action="make one: ssh-keygen -t ed25519")
