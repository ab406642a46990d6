"""The canonical form of a call and the digests that bind it (DESIGN I2).

Arguments are written once in the form of RFC 8785 and read back once: 50000 and 50000.0 have
one canonical form, so the value that was decided about is the value that is sent (FACTS L1).
Digests are HMAC-SHA-256 under a key of the deployment, for arguments are often easy to guess
and the audit log must not give them away.
"""

import hmac
import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import orjson
import rfc8785
from pydantic import JsonValue

from guarded_agents.errors import BindingError
from guarded_agents.records import BoundCall, CallKey

MAX_BYTES: Final = 65_536
MAX_DEPTH: Final = 32
MAX_ITEMS: Final = 1_000
MAX_NAME_CHARS: Final = 320  # of a tool's key, or a call id; servers' and tools' names have at most 64 and 256
_CLIPPED_CHARS: Final = 32
_IDEMPOTENCY_CHARS: Final = 32
# Default_Ignorable_Code_Point (Unicode 15.0, DerivedCoreProperties.txt), and U+2800, a pattern of no dots.
_IGNORABLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})  # controls, formats, surrogates, separators
_MAX_SAFE_INT: Final = 2**53 - 1  # RFC 8785 section 3.2.2.3: integers beyond have no one spelling


def canonical(arguments: object) -> bytes:
    """Return the canonical JSON of *arguments*, an object (RFC 8785).

    Raises BindingError for what has none (NaN, a lone surrogate, an integer of 2^53 or more, a
    value that is not JSON) and for what exceeds 64 KiB, a depth of 32 or 1,000 items.
    """
    if type(arguments) is not dict:
        raise _undigestible("a JSON object", type(arguments).__name__)
    plain, _ = _measure(arguments, 1, 0)
    try:
        # Without floats and with ASCII keys, sorted orjson and RFC 8785 agree (a property test
        # holds it) and orjson is fifty times faster (FACTS F28).
        text = orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS) if plain else rfc8785.dumps(arguments)
    except (orjson.JSONEncodeError, rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise _undigestible("values that JSON can spell", type(error).__name__) from None
    if len(text) > MAX_BYTES:
        raise _undigestible(f"at most {MAX_BYTES} bytes", str(len(text)))
    return text


def parse(text: bytes) -> dict[str, JsonValue]:
    """Return the value of canonical JSON, the only one that anything downstream sees."""
    value: dict[str, JsonValue] = orjson.loads(text)
    return value


def person(name: str) -> str:
    """Return the one spelling of *name* by which people are told apart: what is seen of it, without case.

    That is its caseless compatibility form (Unicode section 3.13, NFKC_Casefold) without white space, controls,
    format characters, lone surrogates and default-ignorable code points. Folding again changes nothing. That two
    names may be one person here can only bar more.
    """
    if name.isascii() and name.isprintable():
        return name.replace(" ", "").lower()
    while (folded := _folded(name)) != name:  # a compatibility form may have a space in it
        name = folded
    return name


def keyed_digest(key: bytes, *parts: str | bytes) -> str:
    """Return the hex HMAC-SHA-256 of *parts*, each preceded by its length so that none can run into the next."""
    encoded = [part.encode() if isinstance(part, str) else part for part in parts]
    return hmac.digest(key, b"".join([b"%d:%b" % (len(part), part) for part in encoded]), "sha256").hex()


def idempotency_key(key: bytes, call: CallKey) -> str:
    """Return what every attempt of one call carries in ``_meta``, so that its server can know it again (32 hex digits).

    *key* is the deployment's for binding.
    """
    parts = (call.thread, call.entry, str(call.turn), call.digest, str(call.occurrence))
    return keyed_digest(key, "idempotency", *parts)[:_IDEMPOTENCY_CHARS]


def clipped(name: str) -> str:
    """Return *name*, which a model may have written, as log and spans show it: whole, or cut and told by its SHA-256.

    Neither can be erased, so nothing long enough to hold a text gets there in the place of a name or a call id.
    """
    if len(name) <= MAX_NAME_CHARS:
        return name
    return f"{name[:_CLIPPED_CHARS]}…sha256:{sha256(name.encode('utf-8', 'replace')).hexdigest()}"


def bind(
    *,
    key: bytes,
    requester: str,
    place: tuple[str, str, int],
    tool: str,
    call_id: str,
    arguments: object,
    occurrence: int = 0,
) -> BoundCall:
    """Bind one proposed call to who asks and where: *place* is (thread, entry, turn).

    *requester* names principal and tenant in canonical JSON. Raises BindingError as `canonical`.
    """
    thread, entry, turn = place
    text = canonical(arguments)
    try:
        digest = keyed_digest(key, "call", requester, thread, entry, str(turn), tool, text)
    except UnicodeEncodeError:
        raise _undigestible("names without lone surrogates", "one") from None
    return BoundCall(CallKey(thread, entry, turn, digest, occurrence), tool, call_id, text, parse(text))


def _folded(name: str) -> str:
    seen = "".join([char for char in _IGNORABLE.sub("", name) if unicodedata.category(char) not in _UNSEEN])
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())


def _undigestible(expected: str, got: str) -> BindingError:
    return BindingError("arguments", expected=expected, got=got, action="propose the call with other arguments")


def _measure(value: object, depth: int, items: int) -> tuple[bool, int]:
    """Return whether *value* has only parts that orjson spells as RFC 8785 does, and its item count."""
    if depth > MAX_DEPTH:
        raise _undigestible(f"a depth of at most {MAX_DEPTH}", "more")
    plain = True
    if type(value) is dict:
        items += len(value)
        for name, child in value.items():
            if type(name) is not str:
                raise _undigestible("names that are strings", type(name).__name__)
            plain &= name.isascii()
            child_plain, items = _leaf_or_measure(child, depth, items)
            plain &= child_plain
    elif type(value) is list:
        items += len(value)
        for child in value:
            child_plain, items = _leaf_or_measure(child, depth, items)
            plain &= child_plain
    else:
        raise _undigestible("values that JSON can spell", type(value).__name__)
    if items > MAX_ITEMS:
        raise _undigestible(f"at most {MAX_ITEMS} items", str(items))
    return plain, items


def _leaf_or_measure(value: object, depth: int, items: int) -> tuple[bool, int]:
    kind = type(value)
    if kind is str or kind is bool or value is None or isinstance(value, str):
        return True, items
    if kind is int:
        if not -_MAX_SAFE_INT <= value <= _MAX_SAFE_INT:  # type: ignore[operator]
            raise _undigestible("integers below 2^53", "a larger one")
        return True, items
    if kind is float:
        return False, items
    return _measure(value, depth + 1, items)


def requester_key(principal_json: Mapping[str, JsonValue], tenant: str) -> str:
    """Return the canonical JSON that names principal and tenant in a digest."""
    return rfc8785.dumps({"principal": dict(principal_json), "tenant": tenant}).decode()


__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_ITEMS",
    "MAX_NAME_CHARS",
    "bind",
    "canonical",
    "clipped",
    "idempotency_key",
    "keyed_digest",
    "parse",
    "person",
    "requester_key",
]
