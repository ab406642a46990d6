"""Whose signature counts: the allowed_signers file (ssh-keygen(1), section ALLOWED SIGNERS)."""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from guarded_agents.approval._identity import Proof
from guarded_agents.approval._statement import NAMESPACE
from guarded_agents.binding import clipped
from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.records import Scheme

_LINE: Final = re.compile(
    r"""(?P<names>"[^"]*"|[^\s"]+)
        (?:[ \t]+(?P<options>(?!ssh-ed25519[ \t])(?:"[^"]*"|[^\s"])+))?
        [ \t]+(?P<kind>\S+)[ \t]+(?P<key>[A-Za-z0-9+/]+={0,2})(?:[ \t].*)?""",
    re.VERBOSE,
)
_KIND: Final = "ssh-ed25519"
_OPTION: Final = re.compile(r'(?P<name>[A-Za-z-]+)=(?:"(?P<quoted>[^"]*)"|(?P<bare>[^",]*))(?:,|$)')
_NAME: Final = re.compile(r"[^\s*?!,\"#\x00-\x1f\x7f]+")
_MOMENTS: Final = {9: "%Y%m%dZ", 13: "%Y%m%d%H%MZ", 15: "%Y%m%d%H%M%SZ"}  # by length
_SIGNATURE_BYTES: Final = 64
_BLOB: Final = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"  # RFC 8709 section 4; the 32 bytes of the key follow
_KEY_BYTES: Final = 32


class AllowedKey(NamedTuple):
    """A public key and when it counts: from *valid_after* until just before *valid_before* (UTC)."""

    public_key: Ed25519PublicKey
    valid_after: datetime | None = None
    valid_before: datetime | None = None

    def counts(self, *, now: datetime) -> bool:
        """Return whether the key counts at *now*."""
        return (self.valid_after is None or self.valid_after <= now) and (
            self.valid_before is None or now < self.valid_before
        )


class Signers:
    """The people whose signature counts, by exact name: the Authenticator of the scheme ED25519."""

    def __init__(self, keys: Mapping[str, tuple[AllowedKey, ...]]) -> None:
        self._keys = MappingProxyType(dict(keys))

    @property
    def principals(self) -> frozenset[str]:
        """Return the names that have a key."""
        return frozenset(self._keys)

    async def verify(self, proof: Proof, *, group: str, now: datetime, is_fresh: bool) -> str:  # noqa: ARG002 - a key counts in every group, and once it has ended for no statement, not even for one on record
        """Return the fingerprint of the key of *proof*'s author that signed it and counts at *now* (UTC).

        Raises ProofError where there is none: a key that has ended or was removed counts no more, also for
        what it signed before.
        """
        if proof.scheme is not Scheme.ED25519:
            raise _unproven(proof, "a signature by a registered key", f"a proof by {proof.scheme.value}")
        signature = _signature(proof)
        if proof.who not in self._keys:
            raise _unproven(proof, "a line of the signers file for exactly this name", "none")
        for key in self._keys[proof.who]:
            if not key.counts(now=now):
                continue
            try:
                key.public_key.verify(signature, proof.message)
            except InvalidSignature:
                continue
            return fingerprint(key.public_key)
        raise _unproven(proof, "a signature by a key of the approver", "none that fits")


def fingerprint(public_key: Ed25519PublicKey) -> str:
    """Return the fingerprint of a key as ``ssh-keygen -l`` prints it: ``SHA256:`` and base64 without padding."""
    digest = sha256(_BLOB + public_key.public_bytes_raw()).digest()
    return f"SHA256:{b64encode(digest).decode().rstrip('=')}"


def _signature(proof: Proof) -> bytes:
    try:
        signature = b64decode(proof.signature, validate=True)
    except ValueError:  # binascii.Error, or letters that are not ASCII
        raise _unproven(proof, "a signature in base64", "something else") from None
    if len(signature) != _SIGNATURE_BYTES or b64encode(signature).decode() != proof.signature:
        raise _unproven(proof, "64 bytes in base64", "something else")
    return signature


def _unproven(proof: Proof, expected: str, got: str) -> ProofError:
    return ProofError(
        f"statement of {clipped(proof.who)}",
        expected=expected,
        got=got,
        action="sign the statement with your own key",
    )


def allowed_signers_line(principal: str, public_key: Ed25519PublicKey) -> str:
    """Return the line (without its end) that lets *principal* sign with *public_key*.

    Raises ConfigurationError for a name that such a file cannot hold exactly.
    """
    if not _NAME.fullmatch(principal) or not principal.isprintable():
        raise _bad("principal", 1, "a name without blanks, quotes, commas, #, *, ? and !", "another")
    key = public_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return f'{principal} namespaces="{NAMESPACE}" {key}'


def load_public_key(text: str, *, source: str) -> Ed25519PublicKey:
    """Return the key in *text*: the one line of a public key file of OpenSSH, ``ssh-ed25519 KEY [COMMENT]``.

    *source* names the file in errors. Raises ConfigurationError for anything else.
    """
    kind, key, *_ = [*text.split(None, 2), "", ""]
    public_key = _public_key(key) if kind == _KIND and "\n" not in text.strip() else None
    if public_key is None:
        raise ConfigurationError(
            source,
            expected=f"one line, {_KIND} KEY",
            got="something else",
            action="name the .pub file that `ssh-keygen -t ed25519` wrote beside the key",
        )
    return public_key


def parse_allowed_signers(text: str, *, source: str) -> Mapping[str, tuple[AllowedKey, ...]]:
    """Return the keys in *text* by name. *source* names the file in errors.

    Narrower than OpenSSH, so that nobody is let in by accident: names are exact (no pattern), keys
    are ssh-ed25519, times are UTC (they end in Z), no certificate authorities, and a key stands
    once in the file, for one key under two names would be two voters. A line that is limited to
    other namespaces is passed over. Raises ConfigurationError with the line, which is counted from 1.
    """
    keys: dict[str, tuple[AllowedKey, ...]] = {}
    seen: set[bytes] = set()
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        name, key = _parse_line(line, source, number)
        if key is None:
            continue
        spelling = key.public_key.public_bytes_raw()
        if spelling in seen:
            raise _bad(source, number, "a key that stands once", "one that stands above")
        seen.add(spelling)
        keys[name] = (*keys.get(name, ()), key)
    return MappingProxyType(keys)


def _parse_line(line: str, source: str, number: int) -> tuple[str, AllowedKey | None]:
    if line.startswith((f"{_KIND} ", f"{_KIND}\t")):  # a public key as it was handed over
        raise _bad(source, number, "NAME before the key", "the key alone")
    match = _LINE.fullmatch(line)
    if match is None:
        raise _bad(source, number, "NAME [OPTIONS] ssh-ed25519 KEY [COMMENT]", "another form")
    name = match["names"].strip('"')
    if not _NAME.fullmatch(name):
        raise _bad(source, number, "one exact name", "a pattern, a list or a blank")
    if match["kind"] != _KIND:
        raise _bad(source, number, "a key of the kind ssh-ed25519", "another kind")
    key = _public_key(match["key"])
    if key is None:
        raise _bad(source, number, "an Ed25519 public key", "no readable key")
    options = _parse_options(match["options"] or "", source, number)
    namespaces = options.get("namespaces", NAMESPACE)
    if set(namespaces) & set("*?!"):
        raise _bad(source, number, "exact namespaces", "a pattern")
    if NAMESPACE not in namespaces.split(","):
        return name, None
    return name, AllowedKey(
        key, _moment(options, "valid-after", source, number), _moment(options, "valid-before", source, number)
    )


def _public_key(text: str) -> Ed25519PublicKey | None:
    try:
        blob = b64decode(text, validate=True)
    except binascii.Error:
        return None
    if not blob.startswith(_BLOB) or len(blob) != len(_BLOB) + _KEY_BYTES:
        return None
    return Ed25519PublicKey.from_public_bytes(blob[len(_BLOB) :])


def _parse_options(text: str, source: str, number: int) -> dict[str, str]:
    options: dict[str, str] = {}
    place = 0
    while place < len(text):
        match = _OPTION.match(text, place)
        name = "" if match is None else match["name"].lower()
        if match is None or name not in {"namespaces", "valid-after", "valid-before"} or name in options:
            raise _bad(source, number, "the options namespaces, valid-after and valid-before, each once", "another")
        options[name] = match["bare"] if match["quoted"] is None else match["quoted"]
        place = match.end()
    return options


def _moment(options: Mapping[str, str], name: str, source: str, number: int) -> datetime | None:
    text = options.get(name)
    if text is None:
        return None
    form = _MOMENTS.get(len(text))
    if form is not None and text.isascii() and text[:-1].isdecimal():
        with suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    raise _bad(source, number, f"{name} as YYYYMMDD[HHMM[SS]]Z, in UTC", "another form")


def _bad(source: str, line: int, expected: str, got: str) -> ConfigurationError:
    return ConfigurationError(f"{source}:{line}", expected=expected, got=got, action="correct the allowed signers")
