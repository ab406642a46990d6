"""What is signed, and by which keys."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from guarded_agents.approval import load_private_key, sign, statement
from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.records import Answer, Vote
from tests.support.approvals import PRIVATE

VOTE = Vote(
    request="7f3a",
    digest="d" * 64,
    approver="ana@example.com",
    answer=Answer.REJECT,
    text="näh",
    at=datetime(2026, 1, 5, 10, tzinfo=UTC),
    nonce="0" * 32,
)
ANA = PRIVATE["ana@example.com"]


def test_a_statement_is_a_prefix_line_and_every_field_in_canonical_json() -> None:
    assert statement(VOTE).decode() == (
        "guarded-agents vote v1\n"
        '{"answer":"reject","approver":"ana@example.com","arguments":null,"at":"2026-01-05T10:00:00.000000Z",'
        f'"digest":"{"d" * 64}","nonce":"{"0" * 32}","request":"7f3a","text":"näh"}}'
    )


OTHERS = {
    "request": "7f3b",
    "digest": "e" * 64,
    "approver": "raj@example.com",
    "answer": Answer.APPROVE,
    "arguments": "{}",
    "text": None,
    "at": VOTE.at + timedelta(microseconds=1),
    "nonce": "1" * 32,
}


@pytest.mark.requirement("I7")
@pytest.mark.parametrize("field", Vote.model_fields)
def test_the_signature_is_over_every_field(field: str) -> None:
    assert statement(VOTE.model_copy(update={field: OTHERS[field]})) != statement(VOTE)


def test_a_moment_has_one_statement_in_every_zone() -> None:
    elsewhere = VOTE.model_copy(update={"at": VOTE.at.astimezone(timezone(timedelta(hours=5)))})
    assert statement(elsewhere) == statement(VOTE)


def test_a_time_without_a_zone_cannot_be_signed() -> None:
    with pytest.raises(ProofError, match="a time with a zone"):
        sign(VOTE.model_copy(update={"at": datetime(2026, 1, 5, 10)}), ANA)  # noqa: DTZ001 - the sample


def test_the_signature_is_ed25519_over_the_statement_in_base64() -> None:
    signed = sign(VOTE, ANA)
    ANA.public_key().verify(b64decode(signed.signature), statement(VOTE))


def written(key: Ed25519PrivateKey, form: Literal["OpenSSH", "PKCS8"], password: bytes | None = None) -> bytes:
    cipher = s.NoEncryption() if password is None else s.BestAvailableEncryption(password)
    return key.private_bytes(s.Encoding.PEM, getattr(s.PrivateFormat, form), cipher)


READABLE = {
    "openssh": (written(ANA, "OpenSSH"), None),
    "pem": (written(ANA, "PKCS8"), None),
    "pem-with-password": (written(ANA, "PKCS8", b"pw"), b"pw"),
}


@pytest.mark.parametrize(("text", "password"), READABLE.values(), ids=READABLE)
def test_a_private_key_is_read_in_both_formats(text: bytes, password: bytes | None) -> None:
    key = load_private_key(text, password=password)
    assert key.private_bytes_raw() == ANA.private_bytes_raw()


EC_KEY = ec.generate_private_key(ec.SECP256R1())
UNREADABLE = {
    "empty": (b"", None),
    "no-key": (b"ana", None),
    "broken-openssh": (written(ANA, "OpenSSH")[:80], None),
    "broken-pem": (written(ANA, "PKCS8")[:40], None),
    "other-kind": (EC_KEY.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()), None),
    "password-missing": (written(ANA, "PKCS8", b"pw"), None),
    "password-wrong": (written(ANA, "PKCS8", b"pw"), b"other"),
    "password-without-need": (written(ANA, "PKCS8"), b"pw"),
}


@pytest.mark.parametrize(("text", "password"), UNREADABLE.values(), ids=UNREADABLE)
def test_another_key_is_refused_and_nothing_of_it_quoted(text: bytes, password: bytes | None) -> None:
    with pytest.raises(ConfigurationError, match="private key") as caught:
        load_private_key(text, password=password)
    assert "ana" not in str(caught.value)
    assert "other\n" not in str(caught.value)


def test_a_cipher_that_cannot_be_read_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm

    from guarded_agents.approval import _statement

    def unsupported(text: bytes, password: bytes | None) -> None:
        raise UnsupportedAlgorithm("bcrypt")

    monkeypatch.setattr(_statement, "load_ssh_private_key", unsupported)
    with pytest.raises(ConfigurationError, match="bcrypt"):
        load_private_key(READABLE["openssh"][0], password=b"pw")
