"""What is signed, and by which keys."""

from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Literal

import pytest
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel

from guarded_agents.approval import (
    Proof,
    Statement,
    commitment,
    load_private_key,
    proof_of,
    second_of,
    sign,
    statement,
)
from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.records import (
    Answer,
    PlanExtension,
    Resolution,
    Review,
    ReviewFinding,
    Scheme,
    SignedVote,
    Verdict,
    Vote,
)
from tests.support.approvals import ANA, PRIVATE, SECOND

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
VOTE = Vote(
    request="7f3a",
    digest="d" * 64,
    approver=ANA,
    answer=Answer.REJECT,
    text="näh",
    at=AT,
    nonce="0" * 32,
)
REVIEW = Review(
    request="7f3a",
    digest="d" * 64,
    reviewer=ANA,
    finding=ReviewFinding.VIOLATION,
    text="nobody was asked",
    at=AT,
    nonce="0" * 32,
)
RESOLUTION = Resolution(
    call="c411",
    attempt=2,
    verdict=Verdict.NOT_HAPPENED,
    resolver=ANA,
    looked_at=AT - timedelta(minutes=1),
    text="no such refund in the ledger",
    at=AT,
    nonce="0" * 32,
)
EXTENSION = PlanExtension(thread="t1", tool="bank/wire", approver=ANA, at=AT, nonce="0" * 32)
KINDS = ("vote", "review", "resolution", "plan extension")
KEY, OTHER_KEY = PRIVATE[ANA], SECOND[ANA]
NONCE = "0" * 32
STATEMENTS: dict[str, tuple[Statement, str]] = {
    "vote": (
        VOTE,
        (
            "guarded-agents vote v1\n"
            '{"answer":"reject","approver":"ana@example.com","arguments":null,"at":"2026-01-05T10:00:00.000000Z",'
            f'"delegate":null,"digest":"{"d" * 64}","nonce":"{NONCE}","request":"7f3a","text":"näh"}}'
        ),
    ),
    "review": (
        REVIEW,
        (
            "guarded-agents review v1\n"
            f'{{"at":"2026-01-05T10:00:00.000000Z","digest":"{"d" * 64}","finding":"violation",'
            f'"nonce":"{NONCE}","request":"7f3a","reviewer":"ana@example.com","text":"nobody was asked"}}'
        ),
    ),
    "resolution": (
        RESOLUTION,
        (
            "guarded-agents resolution v1\n"
            '{"at":"2026-01-05T10:00:00.000000Z","attempt":2,"call":"c411","looked_at":"2026-01-05T09:59:00.000000Z",'
            f'"nonce":"{NONCE}","resolver":"ana@example.com","text":"no such refund in the ledger",'
            '"verdict":"not_happened"}'
        ),
    ),
    "plan extension": (
        EXTENSION,
        (
            "guarded-agents extension v1\n"
            '{"approver":"ana@example.com","at":"2026-01-05T10:00:00.000000Z",'
            f'"nonce":"{NONCE}","text":null,"thread":"t1","tool":"bank/wire"}}'
        ),
    ),
}


@pytest.mark.parametrize(("of", "text"), STATEMENTS.values(), ids=STATEMENTS)
def test_a_statement_is_a_prefix_line_and_every_field_in_canonical_json(of: Statement, text: str) -> None:
    assert statement(of).decode() == text


OTHERS = {
    "request": "7f3b",
    "digest": "e" * 64,
    "approver": "raj@example.com",
    "answer": Answer.APPROVE,
    "arguments": "{}",
    "text": "other",
    "delegate": "raj@example.com",
    "at": AT + timedelta(microseconds=1),
    "nonce": "1" * 32,
    "reviewer": "raj@example.com",
    "finding": ReviewFinding.REVIEWED,
    "call": "c412",
    "attempt": 1,
    "verdict": Verdict.HAPPENED,
    "resolver": "raj@example.com",
    "looked_at": AT,
    "thread": "t2",
    "tool": "bank/topup",
}
FIELDS = [(of, field) for of in (VOTE, REVIEW, RESOLUTION, EXTENSION) for field in type(of).model_fields]


@pytest.mark.requirement("I7")
@pytest.mark.parametrize(("of", "field"), FIELDS, ids=[f"{type(of).__name__}-{field}" for of, field in FIELDS])
def test_the_signature_is_over_every_field(of: Vote, field: str) -> None:
    assert statement(of.model_copy(update={field: OTHERS[field]})) != statement(of)


@pytest.mark.requirement("I7")
def test_one_kind_of_statement_never_passes_for_another() -> None:
    firsts = {statement(of).split(b"\n")[0] for of in (VOTE, REVIEW, RESOLUTION, EXTENSION)}
    assert len(firsts) == 4


def test_a_moment_has_one_statement_in_every_zone() -> None:
    five = timezone(timedelta(hours=5))
    assert statement(VOTE.model_copy(update={"at": AT.astimezone(five)})) == statement(VOTE)
    elsewhere = RESOLUTION.model_copy(update={"looked_at": RESOLUTION.looked_at.astimezone(five)})
    assert statement(elsewhere) == statement(RESOLUTION)


NAIVE = datetime(2026, 1, 5, 10)  # noqa: DTZ001 - the sample
UNSPEAKABLE: dict[str, tuple[BaseModel, dict[str, object], str]] = {
    "naive-vote": (VOTE, {"at": NAIVE}, "vote on 7f3a: expected a time with a zone"),
    "naive-review": (REVIEW, {"at": NAIVE}, "review of 7f3a: expected a time with a zone"),
    "naive-look": (RESOLUTION, {"looked_at": NAIVE}, "resolution of c411: expected a time with a zone"),
    "before-the-year-1": (
        VOTE,
        {"at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))},
        "the years 1 to 9999",
    ),
    "lone-surrogate": (VOTE, {"text": "\ud800"}, "lone surrogates"),
    "huge-attempt": (RESOLUTION, {"attempt": 2**53}, "numbers below"),
}


@pytest.mark.parametrize(("of", "changes", "message"), UNSPEAKABLE.values(), ids=UNSPEAKABLE)
def test_what_has_no_one_spelling_cannot_be_signed(of: Vote, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProofError, match=message):
        sign(of.model_copy(update=changes), KEY)


@pytest.mark.parametrize("of", [VOTE, REVIEW, RESOLUTION, EXTENSION], ids=KINDS)
def test_the_signature_is_ed25519_over_the_statement_in_base64(of: Vote) -> None:
    signed = sign(of, KEY, second=OTHER_KEY)
    KEY.public_key().verify(b64decode(signed.signature), statement(of))
    assert signed.second is not None
    OTHER_KEY.public_key().verify(b64decode(signed.second), statement(of))
    assert signed.scheme is Scheme.ED25519
    assert sign(of, KEY).second is None


@pytest.mark.parametrize("of", [VOTE, REVIEW, RESOLUTION, EXTENSION], ids=KINDS)
def test_a_proof_names_the_author_and_the_exact_bytes(of: Vote) -> None:
    signed = sign(of, KEY, second=OTHER_KEY)
    assert proof_of(signed) == Proof(ANA, statement(of), AT, Scheme.ED25519, signed.signature)
    assert second_of(signed) == Proof(ANA, statement(of), AT, Scheme.ED25519, signed.second or "")
    assert second_of(sign(of, KEY)) is None


def test_a_second_proof_is_by_a_key_however_the_first_was_given() -> None:
    signed = SignedVote(vote=VOTE, signature="a.b.c", scheme=Scheme.OIDC, second="c2Vjb25k")
    assert (proof_of(signed).scheme, proof_of(signed).signature) == (Scheme.OIDC, "a.b.c")
    second = second_of(signed)
    assert second is not None
    assert (second.scheme, second.signature) == (Scheme.ED25519, "c2Vjb25k")


def test_a_commitment_is_the_statements_digest_as_an_id_token_can_carry_it() -> None:
    assert commitment(VOTE) == urlsafe_b64encode(sha256(statement(VOTE)).digest()).decode().rstrip("=")
    assert len(commitment(VOTE)) == 43
    assert len({commitment(of) for of in (VOTE, REVIEW, RESOLUTION, EXTENSION)}) == 4


def written(key: Ed25519PrivateKey, form: Literal["OpenSSH", "PKCS8"], password: bytes | None = None) -> bytes:
    cipher = s.NoEncryption() if password is None else s.BestAvailableEncryption(password)
    return key.private_bytes(s.Encoding.PEM, getattr(s.PrivateFormat, form), cipher)


READABLE = {
    "openssh": (written(KEY, "OpenSSH"), None),
    "pem": (written(KEY, "PKCS8"), None),
    "openssh-with-password": (written(KEY, "OpenSSH", b"pw"), b"pw"),
    "pem-with-password": (written(KEY, "PKCS8", b"pw"), b"pw"),
}


@pytest.mark.parametrize(("text", "password"), READABLE.values(), ids=READABLE)
def test_a_private_key_is_read_in_both_formats(text: bytes, password: bytes | None) -> None:
    key = load_private_key(text, password=password)
    assert key.private_bytes_raw() == KEY.private_bytes_raw()


EC_KEY = ec.generate_private_key(ec.SECP256R1())
NO_KEY = "expected an Ed25519 key, got no readable key; make one: ssh-keygen -t ed25519"
NO_PASSWORD = "expected a password, for the key has one, got none; type it when it is asked for, at a terminal"
WRONG_PASSWORD = "expected the key's password, got another, or a broken key; try it again"
UNREADABLE = {
    "empty": (b"", None, NO_KEY),
    "no-key": (b"ana", None, NO_KEY),
    "broken-openssh": (written(KEY, "OpenSSH")[:80], None, NO_KEY),
    "broken-pem": (written(KEY, "PKCS8")[:40], None, NO_KEY),
    "other-kind": (
        EC_KEY.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()),
        None,
        "expected an Ed25519 key, got another kind of key; make one: ssh-keygen -t ed25519",
    ),
    "openssh-password-missing": (written(KEY, "OpenSSH", b"pw"), None, NO_PASSWORD),
    "openssh-password-wrong": (written(KEY, "OpenSSH", b"pw"), b"other", WRONG_PASSWORD),
    "pem-password-missing": (written(KEY, "PKCS8", b"pw"), None, NO_PASSWORD),
    "pem-password-wrong": (written(KEY, "PKCS8", b"pw"), b"other", WRONG_PASSWORD),
    "password-without-need": (
        written(KEY, "PKCS8"),
        b"pw",
        "expected no password, got one, for a key without; leave it out",
    ),
}


@pytest.mark.parametrize(("text", "password", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_another_key_is_refused_and_nothing_of_it_quoted(text: bytes, password: bytes | None, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_private_key(text, password=password)
    assert str(caught.value) == f"private key: {said}"


def test_a_cipher_that_cannot_be_read_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm

    from guarded_agents.approval import _statement

    def unsupported(text: bytes, password: bytes | None) -> None:
        raise UnsupportedAlgorithm("bcrypt")

    monkeypatch.setattr(_statement, "load_ssh_private_key", unsupported)
    with pytest.raises(ConfigurationError, match="a cipher that is not known here"):
        load_private_key(READABLE["openssh"][0], password=b"pw")
