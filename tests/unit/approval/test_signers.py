"""Whose signature counts."""

from base64 import b64encode
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.approval import (
    AllowedKey,
    Authenticator,
    Proof,
    Signers,
    allowed_signers_line,
    fingerprint,
    load_public_key,
    parse_allowed_signers,
    proof_of,
    second_of,
    sign,
)
from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.records import Scheme
from tests.support.approvals import PRIVATE, SIGNERS, TEN, broke, opened, voted

ANA, RAJ = (PRIVATE[name].public_key() for name in ("ana@example.com", "raj@example.com"))
A, R = (key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode() for key in (ANA, RAJ))
RAW_KEY = A.split()[1]

LINES = {
    "bare": (f"ana {A}", AllowedKey(ANA)),
    "comment": (f"ana {A} ana at work", AllowedKey(ANA)),
    "blanks": (f"  ana\t {A}  \r", AllowedKey(ANA)),
    "quoted-name": (f'"ana" {A}', AllowedKey(ANA)),
    "namespace": (f'ana namespaces="guarded-agents" {A}', AllowedKey(ANA)),
    "one-of-namespaces": (f'ana namespaces="git,guarded-agents" {A}', AllowedKey(ANA)),
    "options-in-capitals": (f'ana Namespaces="guarded-agents" {A}', AllowedKey(ANA)),
    "day": (f"ana valid-before=20270131Z {A}", AllowedKey(ANA, None, datetime(2027, 1, 31, tzinfo=UTC))),
    "minute-and-second": (
        f'ana valid-after="202601051000Z",valid-before=20260105120030Z,namespaces="guarded-agents" {A}',
        AllowedKey(ANA, TEN, datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)),
    ),
}


def raw(key: AllowedKey) -> tuple[object, ...]:
    return (key.public_key.public_bytes_raw(), *key[1:])


@pytest.mark.parametrize(("line", "key"), LINES.values(), ids=LINES)
def test_a_line_names_one_person_and_one_key(line: str, key: AllowedKey) -> None:
    keys = parse_allowed_signers(f"# who may sign\n\n{line}\n", source="signers")
    assert list(keys) == ["ana"]
    assert [raw(found) for found in keys["ana"]] == [raw(key)]


def test_a_person_may_have_several_keys() -> None:
    assert len(parse_allowed_signers(f"ana {A}\nana {R}", source="signers")["ana"]) == 2


def test_a_line_for_other_namespaces_is_passed_over() -> None:
    assert parse_allowed_signers(f'ana namespaces="git" {A}', source="signers") == {}


REFUSED = {
    "glob": f"*@example.com {A}",
    "one-letter-glob": f"an? {A}",
    "negation": f"!ana {A}",
    "list": f"ana,raj {A}",
    "quoted-list": f'"ana,raj" {A}',
    "blank-name": f'"" {A}',
    "name-with-blank": f'"ana b" {A}',
    "no-key": "ana ssh-ed25519",
    "no-name": A,
    "rsa": "ana ssh-rsa AAAAB3NzaC1yc2E=",
    "other-key-within": "ana ssh-ed25519 AAAAB3NzaC1yc2E=",
    "short-key": f"ana ssh-ed25519 {RAW_KEY[:-4]}",
    "bad-padding": f"ana ssh-ed25519 {RAW_KEY[:-1]}",
    "certificate-authority": f"ana cert-authority {A}",
    "unknown-option": f'ana touch="no" {A}',
    "option-twice": f'ana namespaces="git",namespaces="guarded-agents" {A}',
    "option-unclosed": f'ana namespaces="git {A}',
    "namespace-pattern": f'ana namespaces="guarded-*" {A}',
    "local-time": f"ana valid-before=20270131 {A}",
    "no-such-day": f"ana valid-before=20270231Z {A}",
    "no-time": f"ana valid-before=soon {A}",
    "other-digits": f"ana valid-before=２０２７０１３１Z {A}",
    "letters-in-time": f"ana valid-before=2027013xZ {A}",
    "certificate": "ana ssh-ed25519-cert-v01@openssh.com AAAA",
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("line", REFUSED.values(), ids=REFUSED)
def test_what_could_let_in_somebody_by_accident_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^team/signers:3: expected") as caught:
        parse_allowed_signers(f"# team\nraj {R}\n{line}\n", source="team/signers")
    assert RAW_KEY not in str(caught.value)


NAMELESS = {"bare": A, "comment": f"{A} ana", "address": f"{A} ana@example.com", "name-behind": f"{A} ana {A}"}


@pytest.mark.parametrize("line", NAMELESS.values(), ids=NAMELESS)
def test_a_public_key_as_it_was_handed_over_lacks_a_name(line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^signers:1: expected NAME before the key, got the key alone;"):
        parse_allowed_signers(line, source="signers")


PUBLIC = {"bare": A, "end": f"{A}\n", "comment": f"{A} ana at work\r\n"}


@pytest.mark.parametrize("text", PUBLIC.values(), ids=PUBLIC)
def test_a_public_key_file_holds_one_key(text: str) -> None:
    assert load_public_key(text, source="ana.key.pub") == ANA


NOT_PUBLIC = {
    "empty": "",
    "kind-alone": "ssh-ed25519",
    "private": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    "two-lines": f"{A}\n{R}\n",
    "name-first": f"ana {A}",
    "rsa": "ssh-rsa AAAAB3NzaC1yc2E=",
    "other-kind-within": f"ssh-rsa {RAW_KEY}",
    "certificate": f"ssh-ed25519-cert-v01@openssh.com {RAW_KEY}",
    "short": f"ssh-ed25519 {RAW_KEY[:-4]}",
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("text", NOT_PUBLIC.values(), ids=NOT_PUBLIC)
def test_what_is_not_one_public_key_is_refused_and_nothing_of_it_quoted(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_public_key(text, source="ana.key.pub")
    assert str(caught.value) == (
        "ana.key.pub: expected one line, ssh-ed25519 KEY, got something else; "
        "name the .pub file that `ssh-keygen -t ed25519` wrote beside the key"
    )


@given(st.text())
def test_any_text_is_a_public_key_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        load_public_key(text, source="ana.key.pub")


@pytest.mark.requirement("B9")
@pytest.mark.parametrize("name", ["ana", "raj"])
def test_one_key_is_never_two_voters(name: str) -> None:
    with pytest.raises(ConfigurationError, match="signers:2: expected a key that stands once"):
        parse_allowed_signers(f"ana {A}\n{name} {A}", source="signers")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigurationError):
        parse_allowed_signers(text, source="signers")


def test_a_line_that_is_made_is_read_back() -> None:
    keys = parse_allowed_signers(allowed_signers_line("ana@example.com", ANA), source="signers")
    assert raw(keys["ana@example.com"][0]) == raw(AllowedKey(ANA))


@pytest.mark.parametrize("name", ["", "a b", "a,b", "*", "#a", "a\n", 'a"'], ids=ascii)
def test_no_line_is_made_for_a_name_that_it_could_not_hold(name: str) -> None:
    with pytest.raises(ConfigurationError, match="principal"):
        allowed_signers_line(name, ANA)


async def verified(signers: Signers, proof: Proof, now: datetime = TEN, *, is_fresh: bool = True) -> str:
    return await signers.verify(proof, group="finance", now=now, is_fresh=is_fresh)


PROOF = proof_of(voted(opened()))


@pytest.mark.requirement("I7")
async def test_a_signature_by_a_key_of_the_approver_is_proof_and_tells_which_key() -> None:
    authenticator: Authenticator = SIGNERS
    assert await authenticator.verify(PROOF, group="finance", now=TEN, is_fresh=True) == fingerprint(ANA)
    assert "ana@example.com" in SIGNERS.principals


@pytest.mark.requirement("I7")
async def test_two_keys_of_one_person_are_two_credentials() -> None:
    signed = broke(opened())
    second = second_of(signed)
    assert second is not None
    assert await verified(SIGNERS, proof_of(signed)) != await verified(SIGNERS, second)


def test_a_fingerprint_is_what_ssh_keygen_prints() -> None:
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github"
    assert fingerprint(load_ssh_public_key(line.encode())) == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"  # type: ignore[arg-type]


FORGED = {
    "other-approver": PROOF._replace(who="raj@example.com"),
    "unknown-approver": PROOF._replace(who="eve"),
    "other-key": proof_of(sign(voted(opened()).vote, Ed25519PrivateKey.generate())),
    "changed-statement": PROOF._replace(message=PROOF.message + b" "),
    "other-scheme": PROOF._replace(scheme=Scheme.OIDC),
    "no-signature": PROOF._replace(signature=""),
    "no-base64": PROOF._replace(signature="ä" * 88),
    "short": PROOF._replace(signature=b64encode(b"0" * 63).decode()),
    "other-spelling": PROOF._replace(signature=PROOF.signature[:-3] + "x=="),
    "zeros": PROOF._replace(signature=b64encode(bytes(64)).decode()),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("proof", FORGED.values(), ids=FORGED)
async def test_any_other_signature_proves_nothing(proof: Proof) -> None:
    with pytest.raises(ProofError, match=r"^statement of \S+: expected") as caught:
        await verified(SIGNERS, proof)
    assert proof.signature == "" or proof.signature not in str(caught.value)


async def test_a_name_of_any_length_is_told_shortly() -> None:
    with pytest.raises(ProofError) as caught:
        await verified(SIGNERS, PROOF._replace(who="x" * 10_000_000))
    assert len(str(caught.value)) < 400


MINUTE = timedelta(minutes=1)
WINDOWS = {
    "from-now": (AllowedKey(ANA, TEN, None), True),
    "not-yet": (AllowedKey(ANA, TEN + MINUTE, None), False),
    "until-later": (AllowedKey(ANA, None, TEN + MINUTE), True),
    "until-now": (AllowedKey(ANA, None, TEN), False),
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("is_fresh", [True, False], ids=["fresh", "on-record"])
@pytest.mark.parametrize(("key", "counts"), WINDOWS.values(), ids=WINDOWS)
async def test_a_key_counts_only_in_its_time_also_for_what_it_signed_before(
    key: AllowedKey, counts: bool, is_fresh: bool
) -> None:
    signers = Signers({"ana@example.com": (key,)})
    if counts:
        assert await verified(signers, PROOF, is_fresh=is_fresh) == fingerprint(ANA)
    else:
        with pytest.raises(ProofError):
            await verified(signers, PROOF, is_fresh=is_fresh)
