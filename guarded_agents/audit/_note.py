"""Signed notes and tree heads as text, by C2SP: signed-note, tlog-checkpoint and tlog-cosignature, each as of v1.0.0.

A note is text in lines and, after an empty line, signatures of which each names its key. The text of a tree head is
three lines: the log's origin, how many entries, and the root in base64. Who verifies ignores keys that they do not
know, and believes the text only with one that they do.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from guarded_agents.audit._tree import HASH_BYTES
from guarded_agents.errors import NoteError

MAX_NOTE_BYTES: Final = 1_000_000  # C2SP asks verifiers for some limit
MAX_SIGNATURES: Final = 100
_SIZE: Final = re.compile(r"[1-9][0-9]{0,17}")
_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_KEY_BYTES: Final = 32
_LINES: Final = 3  # of a head
_LINE: Final = "\u2014 "  # an em dash, as the format has it


class Algorithm(IntEnum):
    """How a key signs, by the byte of signed-note."""

    ED25519 = 0x01
    COSIGNATURE = 0x04  # of a witness: the time of the signature is signed with the note


class TreeHead(NamedTuple):
    """What a log says of itself: its origin (what it is called), how many entries, and their root (32 bytes)."""

    origin: str
    size: int
    root: bytes


class NoteSignature(NamedTuple):
    """One line of signatures: whose, the id of the key (4 bytes), and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text and who signed it. Nothing is verified by reading it: see `Verifier.holds`."""

    text: str  # ends with a newline
    signatures: tuple[NoteSignature, ...] = ()

    def dump(self) -> bytes:
        """Return the note as it is stored and sent."""
        return f"{self.text}\n{signature_lines(self)}".encode()


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name, as a line of signed-note's vkey has it."""

    name: str
    public: bytes  # Ed25519, 32 bytes
    algorithm: Algorithm = Algorithm.ED25519

    @property
    def key_id(self) -> bytes:
        """Return the first 4 bytes of the SHA-256 over name and key, by which signatures are found."""
        return sha256(self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.algorithm]) + self.public).decode()}"

    def holds(self, note: Note) -> bool:
        """Return whether *note* is signed by this key. One signature of it that does not hold makes the note false."""
        own = [one.signature for one in note.signatures if (one.name, one.key_id) == (self.name, self.key_id)]
        return bool(own) and all(self._verify(note.text, signature) for signature in own)

    def _verify(self, text: str, signature: bytes) -> bool:
        said = text.encode()
        if self.algorithm is Algorithm.COSIGNATURE:
            if len(signature) <= _TIME_BYTES:
                return False
            said = _cosigned(int.from_bytes(signature[:_TIME_BYTES]), text)
            signature = signature[_TIME_BYTES:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, said)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer(Protocol):
    """Signs notes. A file's key does, and whatever stands in for it: a PKCS#11 token, a cloud's KMS."""

    @property
    def verifier(self) -> Verifier:
        """Return the public key, under the signer's name."""

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of *message* (64 bytes). Raises NoteError where the key cannot be used."""


class KeySigner:
    """Signs with an Ed25519 key in memory. Its text form shows nothing of it."""

    __slots__ = ("_key", "_verifier")

    def __init__(self, name: str, secret: bytes, algorithm: Algorithm = Algorithm.ED25519) -> None:
        """Sign as *name* with *secret* (32 bytes, RFC 8032). Raises NoteError for a name that no note can have."""
        _check_name(name)
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._verifier = Verifier(name, public, algorithm)

    def __repr__(self) -> str:
        return f"KeySigner({self._verifier})"

    @property
    def verifier(self) -> Verifier:
        """Return the public key, under the signer's name."""
        return self._verifier

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of *message* (64 bytes)."""
        return self._key.sign(message)


def signature_lines(note: Note) -> str:
    """Return the lines of the signatures of *note*."""
    return "".join(
        f"{_LINE}{name} {b64encode(key_id + signature).decode()}\n" for name, key_id, signature in note.signatures
    )


def sign_note(note: Note, signer: Signer) -> Note:
    """Return *note* with one signature more. Raises NoteError for a text that is none, and what *signer* raises."""
    _check_text(note.text)
    own = signer.verifier
    if own.algorithm is not Algorithm.ED25519:
        raise _unusable("key", "one that signs notes", "one that cosigns", "use `cosign_note`")
    signed = NoteSignature(own.name, own.key_id, signer.sign(note.text.encode()))
    return Note(note.text, (*note.signatures, signed))


def cosign_note(note: Note, signer: Signer, *, at_s: int) -> Note:
    """Return *note* with a witness's cosignature/v1 of *at_s* (seconds since 1970, UTC). Raises as `sign_note`."""
    _check_text(note.text)
    own = signer.verifier
    if own.algorithm is not Algorithm.COSIGNATURE:
        raise _unusable("key", "one that cosigns", "one that signs notes", "use `sign_note`")
    signature = at_s.to_bytes(_TIME_BYTES) + signer.sign(_cosigned(at_s, note.text))
    return Note(note.text, (*note.signatures, NoteSignature(own.name, own.key_id, signature)))


def parse_note(stored: bytes) -> Note:
    """Return the note that *stored* holds. Raises NoteError for what is none, or too long."""
    if len(stored) > MAX_NOTE_BYTES:
        raise _malformed(f"at most {MAX_NOTE_BYTES:,} bytes")
    try:
        whole = stored.decode()
    except UnicodeDecodeError:
        raise _malformed("UTF-8") from None
    text, gap, signatures = whole.rpartition("\n\n")
    if not gap or not signatures.endswith("\n") or not text:
        raise _malformed("a text, an empty line, and signatures")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _malformed(f"at most {MAX_SIGNATURES} signatures")
    _check_text(text + "\n")
    return Note(text + "\n", tuple(map(_signature, lines)))


def parse_verifier(vkey: str) -> Verifier:
    """Return the key that *vkey* spells: name, key id and key. Raises NoteError for what is none, or does not fit."""
    name, key_id, key = ["", "", "", *vkey.strip().split("+", 2)][-3:]
    decoded = decode_base64(key)
    try:
        verifier = Verifier(name, decoded[1:], Algorithm(decoded[0]))
    except (ValueError, IndexError):
        raise _unusable("vkey", "NAME+ID+KEY with an Ed25519 key", "another text", "copy the whole line") from None
    if len(verifier.public) != _KEY_BYTES or verifier.key_id.hex() != key_id:
        raise _unusable("vkey", "a key id that fits name and key", "another", "copy the whole line")
    _check_name(name)
    return verifier


def head_text(head: TreeHead) -> str:
    """Return the text of *head*, to be signed (tlog-checkpoint). Raises NoteError for an origin that is no line."""
    if not head.origin or "\n" in head.origin:
        raise _unusable("origin", "one line", "another text", "name the log in one line")
    return f"{head.origin}\n{head.size}\n{b64encode(head.root).decode()}\n"


def parse_head_text(text: str) -> TreeHead:
    """Return the head that *text* says; lines behind the third are extensions, and ignored. Raises NoteError."""
    origin, size, root, *rest = (*text.split("\n"), "", "", "")
    is_size = size == "0" or _SIZE.fullmatch(size)
    decoded = decode_base64(root)
    if not origin or not is_size or len(decoded) != HASH_BYTES or len(rest) <= _LINES:
        raise _malformed("a tree head: origin, size and root, each in a line")
    return TreeHead(origin, int(size), decoded)


def _cosigned(at_s: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def decode_base64(text: str) -> bytes:
    """Return what *text* spells in the one way in which base64 spells it (RFC 4648 section 3.5), else nothing."""
    try:
        decoded = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return b""
    return decoded if b64encode(decoded).decode() == text else b""


def _signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_LINE).partition(" ")
    decoded = decode_base64(encoded)
    if not line.startswith(_LINE) or len(decoded) <= _ID_BYTES:
        raise _malformed("lines of signatures")
    _check_name(name)
    return NoteSignature(name, decoded[:_ID_BYTES], decoded[_ID_BYTES:])


def _check_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() for char in name):
        raise _unusable("key name", "a name without spaces and plus signs", "another", "name the key otherwise")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(char < " " and char != "\n" for char in text):
        raise _malformed("a text of whole lines without control characters")


def _malformed(expected: str) -> NoteError:
    return _unusable("signed note", expected, "something else", "take it from the log again")


def _unusable(what: str, expected: str, got: str, action: str) -> NoteError:
    return NoteError(what, expected=expected, got=got, action=action)
