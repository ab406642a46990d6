"""An ID token proves the one statement that its nonce stands for, and nothing else does."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from guarded_agents.approval import commitment, statement
from guarded_agents.errors import ConfigurationError, DirectoryError, ProofError
from guarded_agents.identity import IdTokens, JwksFile
from guarded_agents.records import Scheme
from tests.support.issuer import (
    ANA,
    CLIENT,
    ISSUER,
    OTHER_VOTE,
    TEN,
    VOTE,
    after,
    claims,
    digest_of,
    jwk,
    key_set,
    private_key,
    proof,
    raw_token,
    stamp,
    token,
)

ALGORITHMS = ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512")
SOON = after(60)
PUBLIC = private_key("RS256").public_key()


class Keys:
    """A source that holds one set, and tells what it is asked."""

    def __init__(self, data: bytes) -> None:
        from guarded_agents.identity._key_set import parse_key_set

        self.set, self.asked = parse_key_set(data), 0

    async def find(self, key_id: str | None, algorithm: str, *, now: datetime) -> Any:
        self.asked += 1
        key = self.set.find(key_id, algorithm)
        if key is None:
            raise ProofError("ID token", expected="a key that is published", got="another", action="sign in again")
        return key


def terms(**changes: Any) -> IdTokens:
    settings = {
        "issuer": ISSUER,
        "audience": CLIENT,
        "keys": Keys(key_set(jwk(PUBLIC))),
        "group_claim": "groups",
        "groups": {"finance": "approve-finance"},
    }
    return IdTokens(**(settings | changes))


async def proven(signature: str, given: IdTokens | None = None, *, now: datetime = SOON, **changes: Any) -> str:
    options = {"group": "finance", "now": now, "is_fresh": changes.pop("is_fresh", True)}
    return await (given or terms()).verify(proof(signature, **changes), **options)


@pytest.mark.requirement("I7")
async def test_a_token_for_the_statement_proves_it_and_names_the_account() -> None:
    assert await proven(token()) == f"oidc:{ISSUER}:00u1"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_algorithm_that_is_allowed_works_with_a_real_key(algorithm: str) -> None:
    key = private_key(algorithm)
    given = terms(algorithms=[algorithm], keys=Keys(key_set(jwk(key.public_key(), alg=algorithm))))
    assert await proven(token(algorithm=algorithm), given)


ACCEPTED = {
    "audience-in-a-list": {"aud": [CLIENT]},
    "authorized-party": {"azp": CLIENT},
    "trusted-audience": {"aud": [CLIENT, "trusted"], "azp": CLIENT},
    "time-with-fraction": {"iat": stamp(30) + 0.5},
    "begins-with-the-token": {"nbf": stamp(30)},
    "made-at-the-last-second": {"iat": stamp(60 + 60)},  # the provider's clock runs ahead by the leeway
    "made-before-by-the-leeway": {"iat": stamp(-60)},
    "expired-within-the-leeway": {"exp": stamp(1)},
}


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED)
async def test_what_the_standard_allows_counts(changes: dict[str, object]) -> None:
    assert await proven(token(claims(**changes)), terms(trusted_audiences=["trusted"]))


WRONG_CLAIMS = {
    "issuer": ({"iss": "https://login.example.com/realms/other"}, "the issuer"),
    "issuer-with-slash": ({"iss": ISSUER + "/"}, "the issuer"),
    "issuer-in-capitals": ({"iss": ISSUER.upper()}, "the issuer"),
    "issuer-missing": ({"iss": None}, "the issuer"),
    "issuer-in-a-list": ({"iss": [ISSUER]}, "the issuer"),
    "audience": ({"aud": "another-client"}, "this client as audience"),
    "audience-prefix": ({"aud": CLIENT + "-2"}, "this client as audience"),
    "audience-missing": ({"aud": None}, "this client as audience"),
    "audience-empty": ({"aud": []}, "this client as audience"),
    "audience-nested": ({"aud": [[CLIENT]]}, "this client as audience"),
    "audience-object": ({"aud": {CLIENT: 1}}, "this client as audience"),
    "audience-untrusted": ({"aud": [CLIENT, "another"], "azp": CLIENT}, "trusted audiences"),
    "audience-no-text": ({"aud": [CLIENT, ["trusted"]], "azp": CLIENT}, "trusted audiences"),
    "party": ({"azp": "another-client"}, "authorized party"),
    "party-of-several-missing": ({"aud": [CLIENT, "trusted"]}, "authorized party"),
    "party-of-several-other": ({"aud": [CLIENT, "trusted"], "azp": "trusted"}, "authorized party"),
    "nonce": ({"nonce": "another"}, "the nonce"),
    "nonce-missing": ({"nonce": None}, "the nonce"),
    "nonce-of-another-statement": ({"nonce": commitment(OTHER_VOTE)}, "the nonce"),
    "nonce-of-the-vote": ({"nonce": VOTE.nonce}, "the nonce"),
    "nonce-with-padding": ({"nonce": commitment(VOTE) + "="}, "the nonce"),
    "nonce-in-hex": ({"nonce": sha256(statement(VOTE)).hexdigest()}, "the nonce"),
    "nonce-in-a-list": ({"nonce": [commitment(VOTE)]}, "the nonce"),
    "expired": ({"exp": stamp(0)}, "still counts"),  # 60 s ago, and the leeway is 60 s
    "expiry-missing": ({"exp": None}, "a time as exp"),
    "expiry-as-text": ({"exp": str(stamp(330))}, "a time as exp"),
    "expiry-true": ({"exp": True}, "a time as exp"),
    "made-in-the-future": ({"iat": stamp(121)}, "counts already"),
    "made-long-before": ({"iat": stamp(-61)}, "after the statement"),
    "made-time-missing": ({"iat": None}, "a time as iat"),
    "made-time-as-list": ({"iat": [stamp(30)]}, "a time as iat"),
    "begins-later": ({"nbf": stamp(121)}, "counts already"),
    "begins-as-text": ({"nbf": "soon"}, "a time as nbf"),
    "another-person": ({"email": "raj@example.com"}, "the approver"),
    "person-in-capitals": ({"email": ANA.upper()}, "the approver"),
    "person-missing": ({"email": None}, "the approver"),
    "person-in-a-list": ({"email": [ANA]}, "the approver"),
    "mail-unverified": ({"email_verified": False}, "verified"),
    "mail-verified-missing": ({"email_verified": None}, "verified"),
    "mail-verified-as-text": ({"email_verified": "true"}, "verified"),
    "mail-verified-as-number": ({"email_verified": 1}, "verified"),
    "group-missing": ({"groups": ["everyone"]}, "the approver group"),
    "groups-missing": ({"groups": None}, "the approver group"),
    "groups-as-text": ({"groups": "approve-finance"}, "the approver group"),
    "groups-as-object": ({"groups": {"approve-finance": True}}, "the approver group"),
    "groups-nested": ({"groups": [["approve-finance"]]}, "the approver group"),
    "subject-missing": ({"sub": None}, "a subject"),
    "subject-empty": ({"sub": ""}, "a subject"),
    "subject-number": ({"sub": 7}, "a subject"),
    "subject-long": ({"sub": "s" * 256}, "a subject"),
    "subject-beyond-ascii": ({"sub": "００u1"}, "a subject"),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("changes", "expected"), WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
async def test_a_signed_token_with_a_wrong_claim_proves_nothing(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(ProofError) as caught:
        await proven(token(claims(**changes)), terms(trusted_audiences=["trusted"]))
    assert expected in caught.value.expected
    for value in (ANA, "00u1", "approve-finance", "another-client", CLIENT, ISSUER):
        assert value not in str(caught.value)


def hmac_with_the_public_key(algorithm: str = "HS256") -> str:
    pem = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = raw_token({"alg": algorithm, "typ": "JWT", "kid": "k1"}, json.dumps(claims()).encode()).rpartition(".")[0]
    mac = hmac.new(pem, head.encode(), sha256).digest()
    return f"{head}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def with_claims_changed() -> str:
    head, _, signature = token(claims(email="raj@example.com")).split(".")
    body = urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "empty": (lambda: "", "compact form"),
    "no-token": (lambda: "yes", "compact form"),
    "one-megabyte": (lambda: "a" * 1_000_000, "characters"),
    "one-megabyte-of-dots": (lambda: "." * 1_000_000, "characters"),
    "too-long-and-well-signed": (lambda: token(claims(padding="x" * 13_000)), "characters"),
    "encrypted": (lambda: "e30.a.b.c.d", "compact form"),
    "encrypted-header": (lambda: token(enc="A256GCM"), "a plain ID token"),
    "nested": (lambda: token(token().encode(), cty="JWT"), "a plain ID token"),
    "json-form": (lambda: json.dumps({"payload": "e30", "signatures": []}), "compact form"),
    "letters-beyond-ascii": (lambda: token() + "é", "compact form"),
    "lone-surrogate": (lambda: token() + "\ud800", "compact form"),
    "blank-at-the-end": (lambda: token() + " ", "a readable header"),
    "header-no-base64": (lambda: "!!!." + token().partition(".")[2], "a readable header"),
    "header-no-json": (lambda: raw_token(b"{", b"{}"), "a readable header"),
    "header-a-list": (lambda: raw_token(b"[]", b"{}"), "a readable header"),
    "header-key-id-a-number": (lambda: raw_token({"alg": "RS256", "kid": 7}, b"{}"), "a readable header"),
    "algorithm-none": (lambda: raw_token({"alg": "none"}, json.dumps(claims()).encode()), "an algorithm"),
    "algorithm-None": (lambda: raw_token({"alg": "None"}, json.dumps(claims()).encode()), "an algorithm"),
    "algorithm-missing": (lambda: raw_token({}, json.dumps(claims()).encode()), "an algorithm"),
    "algorithm-a-list": (lambda: raw_token({"alg": ["RS256"]}, json.dumps(claims()).encode()), "an algorithm"),
    "algorithm-by-public-key": (hmac_with_the_public_key, "an algorithm"),
    "algorithm-not-allowed": (lambda: token(algorithm="RS512"), "an algorithm"),
    "access-token": (lambda: token(typ="at+jwt"), "an ID token"),
    "access-token-in-full": (lambda: token(typ="application/at+JWT"), "an ID token"),
    "logout-token": (lambda: token(typ="logout+jwt"), "an ID token"),
    "type-a-number": (lambda: raw_token({"alg": "RS256", "typ": 7}, b"{}"), "an ID token"),
    "critical": (lambda: raw_token({"alg": "RS256", "crit": ["b64"], "b64": True}, b"{}"), "a plain ID token"),
    "critical-unknown": (lambda: token(crit=["exp"]), "a readable header"),
    "detached": (lambda: token(b64=False), "a plain ID token"),
    "key-id": (lambda: token(key_id="k2"), "a key"),
    "key-of-another-issuer": (lambda: token(key=private_key("RS256", "second")), "a signature"),
    "key-in-the-header": (
        lambda: token(key=private_key("RS256", "second"), jwk=jwk(private_key("RS256", "second").public_key())),
        "a signature",
    ),
    "key-of-another-kind": (lambda: token(algorithm="ES256"), "a key"),
    "signature-missing": (lambda: token().rpartition(".")[0] + ".", "a signature"),
    "signature-of-other-claims": (with_claims_changed, "a signature"),
    "claims-no-json": (lambda: token(b"nonsense"), "claims in JSON"),
    "claims-not-a-number": (lambda: token(b'{"exp": NaN}'), "claims in JSON"),
    "claims-a-list": (lambda: token(b"[]"), "claims in a JSON object"),
    "claims-infinite": (lambda: token(b'{"iss":"' + ISSUER.encode() + b'","exp":1e999}'), ""),
}


@pytest.mark.requirement("I7")
@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize(("forge", "expected"), FORGED.values(), ids=FORGED)
async def test_a_forged_token_proves_nothing(forge: Callable[[], str], expected: str) -> None:
    with pytest.raises(ProofError) as caught:
        await proven(forge())
    assert expected in caught.value.expected


async def test_the_length_is_looked_at_before_anything_else() -> None:
    keys = Keys(key_set(jwk(PUBLIC)))
    with pytest.raises(ProofError):
        await proven(token() + "a" * 16_384, terms(keys=keys))
    assert keys.asked == 0


@pytest.mark.requirement("I7")
async def test_a_token_proves_no_other_statement() -> None:
    given, found = terms(), token()
    assert await given.verify(proof(found), group="finance", now=after(60), is_fresh=True)
    with pytest.raises(ProofError, match="the nonce of this statement"):
        await given.verify(proof(found, OTHER_VOTE), group="finance", now=after(60), is_fresh=True)


SIGNED = token()


@pytest.mark.requirement("I7")
@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200))
async def test_no_other_message_is_proven(message: bytes) -> None:
    with pytest.raises(ProofError):
        await proven(SIGNED, message=message)


async def test_the_last_moment_is_max_age_after_the_statement() -> None:
    assert await proven(token(claims(iat=stamp(600), exp=stamp(900))), now=after(600))
    with pytest.raises(ProofError):
        await proven(token(claims(iat=stamp(601), exp=stamp(900))), now=after(601))


async def test_a_token_on_record_counts_after_its_end_and_a_new_one_does_not() -> None:
    late = after(7_200)
    assert await proven(token(), now=late, is_fresh=False)
    with pytest.raises(ProofError, match="one that has expired"):
        await proven(token(), now=late)


@pytest.mark.parametrize(("changes", "expected"), WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
async def test_on_record_everything_but_the_end_is_looked_at_again(changes: dict[str, object], expected: str) -> None:
    made, given = token(claims(**changes)), terms(trusted_audiences=["trusted"])
    if changes == {"exp": stamp(0)}:
        assert await proven(made, given, is_fresh=False)
        return
    with pytest.raises(ProofError) as caught:
        await proven(made, given, is_fresh=False)
    assert expected in caught.value.expected


@pytest.mark.requirement("I7")
async def test_a_token_on_record_falls_with_its_key() -> None:
    other = terms(keys=Keys(key_set(jwk(private_key("RS256", "second").public_key(), "k9"))))
    with pytest.raises(ProofError):
        await proven(token(), other, is_fresh=False)


async def test_another_claim_may_name_the_approver() -> None:
    given = terms(name_claim="preferred_username")
    found = token(claims(preferred_username=ANA, email=None, email_verified=None))
    assert await proven(found, given)
    with pytest.raises(ProofError, match="the approver that the statement names"):
        await proven(token(), given)


async def test_nobody_is_no_approver() -> None:
    with pytest.raises(ProofError, match="the approver that the statement names"):
        await proven(token(claims(email="")), who="")


async def test_without_a_group_claim_the_directory_alone_tells_the_group() -> None:
    assert await proven(token(claims(groups=None)), terms(group_claim=None, groups={}))


async def test_a_group_that_no_claim_stands_for_proves_nothing_and_asks_for_no_key() -> None:
    keys = Keys(key_set(jwk(PUBLIC)))
    with pytest.raises(ProofError, match="name it in groups"):
        await terms(keys=keys).verify(proof(token()), group="legal", now=after(60), is_fresh=True)
    assert keys.asked == 0


async def test_another_kind_of_proof_is_none() -> None:
    with pytest.raises(ProofError, match="a proof by ID token"):
        await proven(token(), scheme=Scheme.ED25519)


async def test_keys_that_cannot_be_had_prove_nothing(tmp_path: Any) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(jwk(PUBLIC)))
    given = terms(keys=JwksFile(path))
    assert await proven(token(), given)
    path.unlink()
    with pytest.raises(DirectoryError, match=r"keys\.json"):
        await proven(token(), given)


REFUSED_SETTINGS = {
    "issuer-without-tls": {"issuer": "http://login.example.com"},
    "issuer-no-address": {"issuer": "login.example.com"},
    "issuer-with-query": {"issuer": ISSUER + "?tenant=1"},
    "issuer-with-fragment": {"issuer": ISSUER + "#x"},
    "audience-empty": {"audience": ""},
    "name-claim-empty": {"name_claim": ""},
    "algorithms-none": {"algorithms": ["none"]},
    "algorithms-hmac": {"algorithms": ["RS256", "HS256"]},
    "algorithms-empty": {"algorithms": []},
    "algorithms-as-text": {"algorithms": "RS256"},
    "group-claim-without-groups": {"groups": {}},
    "groups-without-claim": {"group_claim": None},
    "age-zero": {"max_age_s": 0},
    "age-long": {"max_age_s": 86_401},
    "leeway-negative": {"leeway_s": -1},
    "leeway-long": {"leeway_s": 301},
}


@pytest.mark.parametrize("changes", REFUSED_SETTINGS.values(), ids=REFUSED_SETTINGS)
def test_settings_that_would_prove_too_much_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="correct the settings"):
        terms(**changes)


def test_a_provider_on_this_machine_needs_no_tls() -> None:
    assert terms(issuer="http://localhost:8080/realms/acme")
    assert terms(issuer="http://127.0.0.1:8080")


def test_the_settings_are_copies() -> None:
    groups = {"finance": "approve-finance"}
    given = terms(groups=groups)
    groups["legal"] = "everyone"
    assert dict(given.groups) == {"finance": "approve-finance"}
    assert "keys" not in repr(replace(given))


def test_the_nonce_is_the_commitment_that_the_client_is_told() -> None:
    assert claims()["nonce"] == digest_of(proof("").message)
    assert VOTE.at == TEN
