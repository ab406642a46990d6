"""Which keys of a provider's set verify ID tokens."""

import json
from typing import Any

import pytest

from guarded_agents.identity._key_set import UnusableKeySetError, parse_key_set
from tests.support.issuer import jwk, key_set, private_key

RSA, SECOND = (private_key("RS256", name).public_key() for name in ("first", "second"))
P256, ED = (private_key(name).public_key() for name in ("ES256", "EdDSA"))
SHORT = private_key("RS256", "short", 1_024).public_key()

FITTING = {
    "rsa-any": (jwk(RSA), ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"]),
    "rsa-of-one-algorithm": (jwk(RSA, alg="RS256"), ["RS256"]),
    "rsa-without-use": (jwk(RSA, use=None, alg="PS256"), ["PS256"]),
    "rsa-that-verifies": (jwk(RSA, alg="RS256", key_ops=["verify"]), ["RS256"]),
    "p-256": (jwk(P256), ["ES256"]),
    "p-384": (jwk(private_key("ES384").public_key()), ["ES384"]),
    "p-521": (jwk(private_key("ES512").public_key()), ["ES512"]),
    "ed25519": (jwk(ED), ["EdDSA"]),
    "ed25519-named": (jwk(ED, alg="EdDSA"), ["EdDSA"]),
    "for-encryption": (jwk(RSA, use="enc"), []),
    "use-a-list": (jwk(RSA, use=["sig"]), []),
    "that-signs-only": (jwk(RSA, key_ops=["sign"]), []),
    "operations-as-text": (jwk(RSA, key_ops="verify"), []),
    "short": (jwk(SHORT), []),
    "secret": ({"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}, []),
    "secret-named": ({"kty": "oct", "kid": "k1", "k": "c2VjcmV0", "alg": "HS256"}, []),
    "private": (jwk(private_key("RS256")), []),
    "private-ed25519": (jwk(private_key("EdDSA")), []),
    "algorithm-unknown": (jwk(RSA, alg="RSA-OAEP"), []),
    "algorithm-none": (jwk(RSA, alg="none"), []),
    "algorithm-a-list": (jwk(RSA, alg=["RS256"]), []),
    "algorithm-of-another-kind": (jwk(RSA, alg="ES256"), []),
    "curve-of-another-algorithm": (jwk(P256, alg="ES384"), []),
    "key-id-a-number": (jwk(RSA, kid=7), []),
    "kind-missing": (jwk(RSA, kty=None), []),
    "kind-unknown": (jwk(RSA, kty="X"), []),
    "number-missing": (jwk(RSA, n=None), []),
    "number-no-base64": (jwk(RSA, n=7), []),
    "exponent-one": (jwk(RSA, e="AQ"), []),
    "curve-unknown": (jwk(P256, crv="P-1"), []),
    "point-off-the-curve": (jwk(P256, x=jwk(ED)["x"]), []),
    "no-object": (7, []),
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(("entry", "algorithms"), FITTING.values(), ids=FITTING)
def test_a_key_serves_the_algorithms_that_it_fits(entry: Any, algorithms: list[str]) -> None:
    found = parse_key_set(key_set(entry))
    every = ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
    assert [name for name in every if found.find("k1", name) is not None] == algorithms


def test_what_cannot_serve_does_not_take_the_others_down() -> None:
    found = parse_key_set(key_set(7, jwk(SHORT, "k0"), jwk(RSA, "k1", use="enc"), jwk(RSA)))
    assert found.find("k1", "RS256") is not None


def test_one_id_may_name_two_keys_of_different_kinds() -> None:
    found = parse_key_set(key_set(jwk(RSA), jwk(P256)))  # RFC 7517 section 4.5
    assert found.find("k1", "RS256") == RSA
    assert found.find("k1", "ES256") == P256


def test_one_id_for_two_keys_that_both_fit_is_no_answer() -> None:
    found = parse_key_set(key_set(jwk(RSA), jwk(SECOND)))
    with pytest.raises(UnusableKeySetError, match="two keys of one id"):
        found.find("k1", "RS256")
    assert parse_key_set(key_set(jwk(RSA, alg="RS256"), jwk(SECOND, alg="PS256"))).find("k1", "RS256") == RSA


def test_a_token_without_key_id_needs_a_set_of_one_key() -> None:
    assert parse_key_set(key_set(jwk(RSA))).find(None, "RS256") == RSA
    assert parse_key_set(key_set(jwk(RSA, None))).find(None, "RS256") == RSA
    assert parse_key_set(key_set(jwk(RSA))).find(None, "ES256") is None
    assert parse_key_set(key_set(jwk(RSA), jwk(P256, "k2"))).find(None, "RS256") is None
    assert parse_key_set(key_set(jwk(RSA, None))).find("k1", "RS256") is None


NO_SETS = {
    "empty": b"",
    "text": b"<html>",
    "list": b"[]",
    "no-keys": b"{}",
    "keys-an-object": b'{"keys": {}}',
    "not-utf-8": b"\xff",
    "deep": b"[" * 100_000,
    "large": b" " * 262_145,
}


@pytest.mark.parametrize("data", NO_SETS.values(), ids=NO_SETS)
def test_what_is_no_key_set_says_so_without_quoting_it(data: bytes) -> None:
    with pytest.raises(UnusableKeySetError) as caught:
        parse_key_set(data)
    assert caught.value.got in {"no JSON", "JSON without keys", "more than 262,144 bytes"}


def test_a_set_without_keys_is_one() -> None:
    assert parse_key_set(json.dumps({"keys": []}).encode()).keys == ()
