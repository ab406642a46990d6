"""The public keys of a provider: JSON Web Key Sets (RFC 7517)."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

MAX_BYTES: Final = 262_144  # providers publish a few keys of 2 KB, some with their certificates
MIN_RSA_BITS: Final = 2_048  # RFC 7518 section 3.3

KINDS: Final = MappingProxyType(
    {
        "ES256": "secp256r1",
        "ES384": "secp384r1",
        "ES512": "secp521r1",
        "EdDSA": "Ed25519",
        "PS256": "RSA",
        "PS384": "RSA",
        "PS512": "RSA",
        "RS256": "RSA",
        "RS384": "RSA",
        "RS512": "RSA",
    }
)
"""Every algorithm that may be allowed (RFC 7518 section 3.1, RFC 8037 section 3.1), and the key that it needs."""


class KeySource(Protocol):
    """Knows the keys that a provider signs with now."""

    async def find(self, key_id: str | None, algorithm: str, *, now: datetime) -> PublicKey:
        """Return the key with that id (None: the only one there is) that fits the algorithm.

        Raises ProofError where there is none, and DirectoryError where it cannot be told.
        """
        ...


class UnusableKeySetError(Exception):
    """What is no key set, or one that does not say which key is meant. ``got`` tells which, and quotes nothing."""

    def __init__(self, got: str) -> None:
        """Keep what was got."""
        self.got = got
        super().__init__(got)


class _Key(NamedTuple):
    key_id: str | None
    algorithm: str | None  # None: any that the kind of key fits
    public: PublicKey

    def fits(self, algorithm: str) -> bool:
        return KINDS[algorithm] == _kind(self.public) and self.algorithm in {None, algorithm}


class KeySet(NamedTuple):
    """The keys of a set that verify signatures."""

    keys: tuple[_Key, ...]

    def find(self, key_id: str | None, algorithm: str) -> PublicKey | None:
        """Return the key with that id that fits *algorithm*, None where there is none.

        Without an id it is the only key of the set (OpenID Connect Core 1.0 section 10.1). Raises
        UnusableKeySetError where two fit.
        """
        if key_id is None and len(self.keys) > 1:
            return None
        found = [key.public for key in self.keys if (key_id is None or key.key_id == key_id) and key.fits(algorithm)]
        if len(found) > 1:
            raise UnusableKeySetError("two keys of one id")
        return found[0] if found else None


def parse_key_set(data: bytes) -> KeySet:
    """Return the keys in *data* that verify signatures: public, long enough, and not for another use.

    Others are passed over (RFC 7517 section 5). Raises UnusableKeySetError for what is no key set.
    """
    if len(data) > MAX_BYTES:
        raise UnusableKeySetError(f"more than {MAX_BYTES:,} bytes")
    try:
        document = orjson.loads(data)
    except ValueError:
        raise UnusableKeySetError("no JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise UnusableKeySetError("JSON without keys")
    return KeySet(tuple(key for entry in entries if (key := _parse(entry)) is not None))


def _parse(entry: object) -> _Key | None:
    if not isinstance(entry, dict) or not _verifies(entry):
        return None
    key_id, algorithm = entry.get("kid"), entry.get("alg")
    if not isinstance(key_id, str | None) or not isinstance(algorithm, str | None):
        return None
    if algorithm is not None and algorithm not in KINDS:
        return None
    try:
        public = jwt.PyJWK(entry).key
    except (jwt.PyJWTError, UnsupportedAlgorithm, KeyError, TypeError, ValueError):
        return None  # what they say quotes the key
    if not isinstance(public, PublicKey):
        return None  # a private key that was published is nobody's secret any more
    if isinstance(public, RSAPublicKey) and public.key_size < MIN_RSA_BITS:
        return None
    return _Key(key_id, algorithm, public)


def _verifies(entry: Mapping[str, object]) -> bool:
    """Return whether the key is meant for signatures (RFC 7517 sections 4.2 and 4.3)."""
    operations = entry.get("key_ops")
    return entry.get("use", "sig") == "sig" and (
        operations is None or (isinstance(operations, list) and "verify" in operations)
    )


def _kind(key: PublicKey) -> str:
    if isinstance(key, RSAPublicKey):
        return "RSA"
    return key.curve.name if isinstance(key, EllipticCurvePublicKey) else "Ed25519"
