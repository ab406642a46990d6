"""The keys of a deployment: one root key, every other one derived from it, and that which signs the audit log.

The root key is 32 random bytes, in a file that only its owner can read or in the environment
variable GUARDED_AGENTS_ROOT_KEY. Whoever has it can forge digests and with them requests and audit
entries; it is no approver's key, so it cannot forge a vote. The key of the audit log stands apart, for it is changed,
and may live in a token or a cloud's KMS: see `guarded_agents.audit.Signer`.
"""

import binascii
import os
import secrets
import stat
from base64 import b64decode
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from guarded_agents.errors import ConfigurationError

ENVIRONMENT: Final = "GUARDED_AGENTS_ROOT_KEY"
KEY_BYTES: Final = 32
_SALT: Final = b"guarded-agents root key v1"
_HAS_MODES: Final = os.name == "posix"
_MAX_FILE_BYTES: Final = 65_536


class RootKey:
    """The one secret of a deployment. Its text form shows nothing of it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise _unusable("root key", f"{KEY_BYTES} bytes", f"{len(secret)}", "make another one")
        self._secret = secret

    def __repr__(self) -> str:
        return "RootKey(…)"

    def __reduce__(self) -> str:
        raise TypeError("a root key is not pickled")

    @classmethod
    def load(cls, path: Path | str, *, create: bool) -> "RootKey":
        """Return the key in the environment, else the one in the file *path*.

        With *create* a missing file is made, with mode 0600; of two processes that make it at once
        both get the one that was first. Raises ConfigurationError for a file that others can read,
        that holds anything but 32 bytes, or that is missing; and for a variable that is neither 64
        hex digits nor base64 of 32 bytes.
        """
        text = os.environ.get(ENVIRONMENT)
        if text is not None:
            return cls(_decode(text))
        path = Path(path)
        if create and not path.exists():
            _write_once(path, secrets.token_bytes(KEY_BYTES))
        return cls(_read_private(path))

    def derive(self, purpose: str, identifier: str = "") -> bytes:
        """Return the 32-byte key for *purpose* and *identifier* (HKDF-SHA-256, RFC 5869)."""
        info = b"%d:%b%d:%b" % (len(purpose.encode()), purpose.encode(), len(identifier.encode()), identifier.encode())
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=_SALT, info=info).derive(self._secret)


def load_audit_key(path: Path | str, *, create: bool) -> bytes:
    """Return the secret of the Ed25519 key that signs the audit log (32 bytes), from a PKCS #8 file without password.

    With *create* a missing file is made, with mode 0600. Raises ConfigurationError for a file that others can read,
    that holds anything but such a key, or that is missing.
    """
    path = Path(path)
    if create and not path.exists():
        write_audit_key(path)
    return _audit_secret(path, _read_private(path))


def write_audit_key(path: Path | str) -> bool:
    """Write a new Ed25519 key for the audit log (PKCS #8 PEM, mode 0600); return False where the file exists.

    Raises ConfigurationError where it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    return _write_once(Path(path), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _audit_secret(path: Path, content: bytes) -> bytes:
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _unusable(
            str(path),
            "an Ed25519 key in a PEM file without password",
            "something else",
            "make one with `openssl genpkey -algorithm ed25519`",
        )
    return key.private_bytes_raw()


def new_approver_key(path: Path | str) -> str:
    """Write a new Ed25519 private key (OpenSSH format, no password, mode 0600); return its public line.

    The line is ``ssh-ed25519 KEY``: with the approver's name before it, it is a line of
    allowed_signers. For demos: an approver makes a key with ``ssh-keygen -t ed25519``.
    Raises ConfigurationError where the file exists or cannot be written.
    """
    path, key = Path(path), Ed25519PrivateKey.generate()
    if not _write_once(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())):
        raise _unusable(str(path), "a file that does not exist yet", "one that does", "name another")
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def read_key_file(path: Path | str) -> bytes:
    """Return the bytes of a key file that only its owner can read (at most 64 KiB). Raises ConfigurationError."""
    return _read_private(Path(path))


def _decode(text: str) -> bytes:
    text = text.strip()
    try:
        secret = bytes.fromhex(text) if len(text) == 2 * KEY_BYTES else b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise _unusable(ENVIRONMENT, "64 hex digits or base64 of 32 bytes", "something else", "set it again")
    return secret


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise _unusable(str(path), "a readable key file", error.strerror or "an error", "check the path") from None
    if _HAS_MODES and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unusable(str(path), "mode 0600", f"{stat.S_IMODE(mode):04o}", f"chmod 600 {path}")
    return content


def _write_once(path: Path, content: bytes) -> bool:
    """Write the file whole or not at all; return False where another was there first."""
    part = path.parent / f"{path.name}.{secrets.token_hex(8)}.part"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(part, path)  # fails where the name is taken, unlike a rename
        finally:
            part.unlink()
    except FileExistsError:
        return False
    except OSError as error:
        raise _unusable(str(path), "a folder to write to", error.strerror or "an error", "check the path") from None
    return True


def _unusable(subject: str, expected: str, got: str, action: str) -> ConfigurationError:
    return ConfigurationError(subject, expected=expected, got=got, action=action)


__all__ = [
    "ENVIRONMENT",
    "KEY_BYTES",
    "RootKey",
    "load_audit_key",
    "new_approver_key",
    "read_key_file",
    "write_audit_key",
]
