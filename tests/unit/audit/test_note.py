"""Signed notes and tree heads: the formats of C2SP, byte by byte."""

from base64 import b64decode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from guarded_agents.audit import (
    Algorithm,
    KeySigner,
    Note,
    NoteSignature,
    TreeHead,
    Verifier,
    cosign_note,
    head_text,
    parse_head_text,
    parse_note,
    parse_verifier,
    sign_note,
)
from guarded_agents.errors import NoteError

# The example of golang.org/x/mod/sumdb/note, where the format comes from.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SECRET = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
SAID = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = f"""{SAID}
\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
""".encode()
HEAD = TreeHead("desk.example.com/audit", 20_852_163, bytes(range(32)))
SECRET = bytes(range(32))


def test_the_example_of_the_format_is_read_signed_and_written_alike() -> None:
    signer, note = KeySigner("PeterNeumann", PETERS_SECRET), parse_note(SIGNED)
    assert str(signer.verifier) == PETER
    assert parse_verifier(PETER) == signer.verifier
    assert note.text == SAID
    assert signer.verifier.holds(note)
    assert sign_note(Note(SAID), signer).dump() == SIGNED == note.dump()


def test_a_head_is_three_lines() -> None:
    text = head_text(HEAD)
    assert text == "desk.example.com/audit\n20852163\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    assert parse_head_text(text) == HEAD
    assert parse_head_text(text + "an extension\n") == HEAD


HEADS = {
    "no origin": "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    "a size with a zero in front": "a\n01\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    "a negative size": "a\n-1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    "a size of other digits": "a\n\u0661\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    "a size of 64 bits": f"a\n{10**18}\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
    "a root that is too short": "a\n1\nAAEC\n",
    "a root that is no base64": "a\n1\n!!!!\n",
    "two lines": "a\n1\n",
    "no end of line": "a\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "nothing": "",
}


@pytest.mark.parametrize("text", HEADS.values(), ids=HEADS)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        parse_head_text(text)


NOTES = {
    "no signature": SAID.encode() + b"\n",
    "no empty line": SIGNED.replace(b"\n\n", b"\n"),
    "a control character": SIGNED.replace(b"crypto", b"cry\x07pto"),
    "no UTF-8": SIGNED.replace(b"crypto", b"cry\xffpto"),
    "another dash": SIGNED.replace("\u2014".encode(), b"-"),
    "a name with a plus sign": SIGNED.replace(b"PeterNeumann", b"Peter+Neumann"),
    "a signature that is no base64": SIGNED.replace(b"x08go/", b"x08g!/"),
    "a signature of a key id alone": SAID.encode() + "\n\u2014 a x08gow==\n".encode(),
    "a line behind the signatures": SIGNED + b"and more\n",
    "no end of line": SIGNED[:-1],
    "no text": SIGNED[len(SAID) :],
    "more than a hundred signatures": SAID.encode() + b"\n" + SIGNED.rpartition(b"\n\n")[2] * 101,
    "more than a megabyte": b"a" * 1_000_000 + SIGNED,
}


@pytest.mark.parametrize("stored", NOTES.values(), ids=NOTES)
def test_what_is_no_note_is_refused(stored: bytes) -> None:
    with pytest.raises(NoteError):
        parse_note(stored)


@given(st.data())
def test_a_note_of_which_any_byte_is_changed_does_not_hold(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SIGNED) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != SIGNED[at]))
    changed = SIGNED[:at] + bytes([other]) + SIGNED[at + 1 :]
    try:
        note = parse_note(changed)
    except NoteError:
        return
    assert not parse_verifier(PETER).holds(note)


def test_a_key_that_signed_twice_and_once_wrongly_makes_the_note_false() -> None:
    signer = KeySigner("desk", SECRET)
    good = sign_note(Note(head_text(HEAD)), signer)
    bad = replace(good, signatures=(*good.signatures, good.signatures[0]._replace(signature=bytes(64))))
    assert signer.verifier.holds(good)
    assert not signer.verifier.holds(bad)


def test_signatures_of_others_are_ignored() -> None:
    signer, other = KeySigner("desk", SECRET), KeySigner("another", bytes(32))
    note = sign_note(sign_note(Note(head_text(HEAD)), other), signer)
    assert signer.verifier.holds(note)
    assert other.verifier.holds(note)
    assert not signer.verifier.holds(Note(note.text, note.signatures[:1]))
    assert signer.verifier.holds(Note(note.text, (*note.signatures, NoteSignature("pq", b"abcd", b"unknown"))))


def test_a_key_of_the_same_name_is_another_key() -> None:
    impostor = sign_note(Note(head_text(HEAD)), KeySigner("desk", bytes(32)))
    assert not KeySigner("desk", SECRET).verifier.holds(impostor)


def test_a_witness_signs_the_time_with_the_note() -> None:
    log, witness = KeySigner("desk", SECRET), KeySigner("witness", bytes(32), Algorithm.COSIGNATURE)
    note = cosign_note(sign_note(Note(head_text(HEAD)), log), witness, at_s=1_767_614_400)
    signature = note.signatures[1].signature
    assert witness.verifier.holds(note)
    assert signature[:8] == (1_767_614_400).to_bytes(8)
    later = (1_767_614_401).to_bytes(8) + signature[8:]
    for changed in (later, signature[:8], b""):
        false = NoteSignature("witness", witness.verifier.key_id, changed)
        assert not witness.verifier.holds(Note(note.text, (note.signatures[0], false)))
    said = f"cosignature/v1\ntime 1767614400\n{note.text}".encode()
    Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().verify(signature[8:], said)


def test_a_key_signs_either_notes_or_as_a_witness() -> None:
    with pytest.raises(NoteError, match="cosign"):
        sign_note(Note(head_text(HEAD)), KeySigner("witness", SECRET, Algorithm.COSIGNATURE))
    with pytest.raises(NoteError, match="signs notes"):
        cosign_note(Note(head_text(HEAD)), KeySigner("desk", SECRET), at_s=0)


VKEYS = {
    "another id": PETER.replace("c74f20a3", "c74f20a4"),
    "another name": PETER.replace("Peter", "Paul"),
    "another algorithm": PETER.replace("+ARpc", "+AhpC"),
    "no base64": PETER.replace("ARpc", "A!pc"),
    "a short key": "a+00000000+AQ==",
    "no key": "a+00000000+",
    "one word": "PeterNeumann",
    "nothing": "",
}


@pytest.mark.parametrize("vkey", VKEYS.values(), ids=VKEYS)
def test_what_is_no_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(NoteError):
        parse_verifier(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b"])
def test_a_name_that_no_note_can_have_signs_nothing(name: str) -> None:
    with pytest.raises(NoteError):
        KeySigner(name, SECRET)


@pytest.mark.parametrize("origin", ["", "two\nlines"])
def test_an_origin_is_one_line(origin: str) -> None:
    with pytest.raises(NoteError):
        head_text(HEAD._replace(origin=origin))


def test_a_signer_shows_nothing_of_its_key() -> None:
    shown = repr(KeySigner("desk", SECRET))
    assert SECRET.hex() not in shown
    assert shown == f"KeySigner({Verifier('desk', KeySigner('desk', SECRET).verifier.public)})"
