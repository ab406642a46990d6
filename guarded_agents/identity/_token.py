"""The outside of an ID token: its form, its header and its signature (RFC 7515, RFC 7519)."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

import jwt
import orjson

from guarded_agents.errors import ProofError
from guarded_agents.identity._key_set import KINDS, PublicKey

MAX_CHARS: Final = 16_384  # providers' tokens with 200 groups are about half of that
_PARTS: Final = 3  # of a JWS; an encrypted token has five (RFC 7516 section 3.1)
_TYPES: Final = frozenset({"jwt", "application/jwt"})  # RFC 7519 section 5.1; an access token says at+jwt (RFC 9068)
_JWS: Final = jwt.PyJWS(algorithms=tuple(KINDS))


class Header(NamedTuple):
    """What a token says of its own signature; nothing of it is proven yet."""

    algorithm: str
    key_id: str | None


def unproven(expected: str, got: str, action: str = "sign in again, for this statement") -> ProofError:
    """Return the error of an ID token that does not count. It quotes neither the token nor a claim."""
    return ProofError("ID token", expected=expected, got=got, action=action)


def read_header(token: str, *, allowed: Collection[str]) -> Header:
    """Return the header of *token*. Raises ProofError unless it is a JWS of an allowed algorithm and a plain JWT.

    Keys and addresses of keys in the header (``jwk``, ``jku``, ``x5c``, ``x5u``) are not looked at.
    """
    if len(token) > MAX_CHARS:
        raise unproven(f"at most {MAX_CHARS:,} characters", "more")
    if not token.isascii() or token.count(".") != _PARTS - 1:
        raise unproven("a signed token in compact form (RFC 7515 section 3.1)", "another form")
    try:
        header: Mapping[str, object] = jwt.PyJWS().get_unverified_header(token)
    except jwt.PyJWTError:
        raise unproven("a readable header", "another") from None
    algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in allowed:
        raise unproven("an algorithm that is allowed here", "another", "correct the client's registration")
    if not isinstance(kind, str) or kind.lower() not in _TYPES or not isinstance(key_id, str | None):
        raise unproven("an ID token", "a token of another type")
    if header.keys() & {"crit", "b64", "cty", "enc"}:
        raise unproven("a plain ID token", "a nested, an encrypted or an extended one")
    return Header(algorithm, key_id)


def read_claims(token: str, key: PublicKey, algorithm: str) -> Mapping[str, object]:
    """Return the claims of *token*. Raises ProofError unless *key* signed them by *algorithm*."""
    try:
        claims = orjson.loads(_JWS.decode(token, key, algorithms=[algorithm]))
    except jwt.PyJWTError:
        raise unproven("a signature that fits", "another") from None
    except ValueError:
        raise unproven("claims in JSON", "something else") from None
    if not isinstance(claims, dict):
        raise unproven("claims in a JSON object", "something else")
    return claims
