"""Values taken out of a text, with tokens in their place that lead back to them."""

import hmac
import re
from base64 import b32encode
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from operator import itemgetter
from string import ascii_letters, digits
from typing import Final

from guarded_agents.errors import ConfigurationError
from guarded_agents.screen._clean import CleanText
from guarded_agents.screen._finding import Finding, Kind, Required, Stage
from guarded_agents.screen._regex import RegexSet, regex_set
from guarded_agents.screen._value import FIELDS, Field, Span, ValueKind

KEY_BYTES: Final = 32
MAX_VALUES: Final = 2_000
"""Redacted one by one in a text. One with more is a table of them, which no model needs to see: it is one value."""
MAX_CANDIDATES: Final = 4_000
"""Looked at in a text, the numbers that fail their checksum among them: each costs some microseconds."""
TOO_MANY: Final = "screen:too-many-values"

_TAG_BYTES: Final = 10  # 80 bits: nobody tries that many, and a model copies 16 letters without a mistake
_KINDS: Final = frozenset(ValueKind)
_TOKEN: Final = re.compile(r"\[\[([a-z-]{1,16}):[a-z2-7]{16}\]\]")

# What reads as a digit, a letter or a sign of a value and is another character; each is one, so offsets stay.
_ZEROS: Final = "\u0660\u06f0\u0966\u09e6\u0e50"
_READS_AS: Final = str.maketrans(
    {chr(ord(char) + 0xFEE0): char for char in f"{digits}{ascii_letters}@+-_"}
    | {chr(ord(zero) + number): str(number) for zero in _ZEROS for number in range(10)}
    | dict.fromkeys(map(chr, (0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)), " ")
    | dict.fromkeys(map(chr, (*range(0x2010, 0x2016), 0x2212)), "-")
)
_READS: Final = re.compile(f"[{''.join(map(chr, _READS_AS))}]+")  # no sign of a class is among them


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without the values, and what stands behind each token. Its text form shows neither."""

    text: str
    values: Mapping[str, str] = field(repr=False)  # by token; for the erasable side store, never for a checkpoint
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Redacted({len(self.text)} characters, {len(self.values)} values, {self.findings!r})"


@dataclass(frozen=True, slots=True)
class Restored:
    """A text with values in the place of tokens, and how many tokens stayed: unknown, forged or not to travel."""

    text: str
    refused: int

    def __repr__(self) -> str:
        return f"Restored({len(self.text)} characters, {self.refused} refused)"


class Redactor:
    """Replaces values of one thread by tokens, and tokens by values. Its text form does not show its key.

    A token is ``[[kind:tag]]``, the tag 16 letters of base32 over HMAC-SHA-256 of kind and value (RFC 2104, RFC 4648):
    one value has one token in a thread, and without the key neither can a value be guessed from it nor a token be
    made. A text that holds what looks like one, a genuine one too, has it replaced by a token of its own, so that
    what stands in a redacted text was put there by the redactor.
    """

    def __init__(self, key: bytes, *, kinds: Iterable[ValueKind] = tuple(ValueKind)) -> None:
        """Take the thread's key, of 32 bytes, and the kinds to redact; TOKEN and TEXT are always among them.

        Raises ConfigurationError for a key of another length.
        """
        if len(key) != KEY_BYTES:
            raise ConfigurationError(
                "redaction key", expected=f"{KEY_BYTES} bytes", got=str(len(key)), action="derive one for the thread"
            )
        self._key: Final = key
        self._kinds: Final = frozenset(kinds)
        _hints()  # built once for all, and not while the first text waits

    def redact(self, text: CleanText, *, stage: Stage) -> Redacted:
        """Return ``text.text`` with tokens for values, the values by token, and a finding for each kind, sorted.

        Of a JSON document hand in each string by itself: a token is no JSON where a number stood.
        A text with too many values or candidates is one value, and its finding requires QUARANTINE.
        """
        return self._replaced(text.text, self._spans(text.text), stage)

    def redact_parts(self, parts: Sequence[CleanText], behind: Sequence[str], *, stage: Stage) -> list[Redacted]:
        """Return each of *parts*, the strings of one document in order, as `redact` returns it by itself.

        What is a value only where they are read together, each with what stands *behind* it (a key in lines, a password
        behind its name), is taken out too: of each part the stretch that stands in it.
        """
        over = self._spans("".join([part.text + after for part, after in zip(parts, behind, strict=True)]))
        if over is None:
            return [self._replaced(part.text, None, stage) for part in parts]
        found: list[Redacted] = []
        begin, place = 0, 0
        for part, after in zip(parts, behind, strict=True):
            plain, end = part.text, begin + len(part.text)
            within: list[tuple[Span, Field]] = []
            while place < len(over) and over[place][0][0] < end:
                (first, last), of = over[place]
                if (stretch := (max(first, begin) - begin, min(last, end) - begin))[0] < stretch[1]:
                    within.append((stretch, of))
                if last > end:
                    break  # it goes on in the next part
                place += 1
            own = self._spans(plain)
            found.append(self._replaced(plain, None if own is None else _apart([*own, *within]), stage))
            begin = end + len(after)
        return found

    def _replaced(self, plain: str, spans: list[tuple[Span, Field]] | None, stage: Stage) -> Redacted:
        """Return *plain* with tokens in the place of *spans*, or of all of it where these are too many (None)."""
        if spans is None:
            token = self._token(ValueKind.TEXT, plain)
            finding = Finding(id=TOO_MANY, kind=Kind.UNSCREENED, stage=stage, required=Required.QUARANTINE)
            return Redacted(token, {token: plain}, (finding,))
        if not spans:
            return Redacted(plain, {}, ())
        values: dict[str, str] = {}
        pieces: list[str] = []
        at, counts = 0, Counter[Field]()
        for (start, end), found in spans:
            token = self._token(found.kind, plain[start:end])
            values[token] = plain[start:end]
            pieces += plain[at:start], token
            at = end
            counts[found] += 1
        pieces.append(plain[at:])
        findings = (
            Finding(id=f"{found.group}:{found.kind}", kind=found.group, stage=stage, count=count)
            for found, count in counts.items()
        )
        return Redacted("".join(pieces), values, tuple(sorted(findings, key=lambda finding: finding.id)))

    def restore(self, text: str, values: Mapping[str, str], *, travels: Collection[ValueKind]) -> Restored:
        """Return *text* with the values behind its tokens, of the kinds in *travels* alone, in one pass.

        A token stays, and is counted, where *values* has none of this thread's key for it: *values* is not trusted.
        Text that came in as a token comes back as it was, whatever travels.
        """
        refused = 0

        def value(match: re.Match[str]) -> str:
            nonlocal refused
            token, kind = match[0], match[1]
            found = values.get(token)
            if found is None or kind not in (*travels, ValueKind.TOKEN) or not self._is_of(token, kind, found):
                refused += 1
                return token
            return found

        return Restored(_TOKEN.sub(value, text), refused)

    def _spans(self, plain: str) -> list[tuple[Span, Field]] | None:
        """Return where the values are, in order and apart from one another; None where they are too many."""
        seen = plain if plain.isascii() else _READS.sub(_as_read, plain)
        present = _hints().Match(seen.encode()) or ()
        if _CANARY not in present:
            return None
        found: list[tuple[Span, Field]] = []
        candidates = 0
        for index in sorted(present)[:-1]:  # the canary is last
            of = _FIELDS[index]
            if of.kind not in self._kinds and of.kind is not ValueKind.TOKEN:
                continue
            for span in of.locate(seen):
                candidates += 1
                if span is not None:
                    found.append((span, of))
                if candidates > MAX_CANDIDATES or len(found) > MAX_VALUES:
                    return None
        return _apart(found)

    def _token(self, kind: ValueKind, value: str) -> str:
        tag = hmac.digest(self._key, f"{kind}\0{value}".encode(), sha256)[:_TAG_BYTES]
        return f"[[{kind}:{b32encode(tag).decode().lower()}]]"

    def _is_of(self, token: str, kind: str, value: str) -> bool:
        return kind in _KINDS and hmac.compare_digest(self._token(ValueKind(kind), value), token)

    def __repr__(self) -> str:
        return "Redactor(…)"


def tokens_in(text: str) -> frozenset[str]:
    """Return what in *text* has the form of a token, whether or not a redactor put it there."""
    return frozenset(match[0] for match in _TOKEN.finditer(text))


def _as_read(match: re.Match[str]) -> str:
    return match[0].translate(_READS_AS)


def _tokens(text: str) -> Iterator[Span | None]:
    for match in _TOKEN.finditer(text):
        yield match.span()


_FIELDS: Final = (*FIELDS, Field(ValueKind.TOKEN, Kind.INJECTION, r"\[\[[a-z-]{1,16}:", _tokens))
_CANARY: Final = len(_FIELDS)  # of the empty hint, which every text has: without it the set did not answer


@cache
def _hints() -> RegexSet:
    return regex_set([*(of.hint for of in _FIELDS), ""])


def _apart(found: list[tuple[Span, Field]]) -> list[tuple[Span, Field]]:
    """Return *found* by place; what overlaps is one stretch, of the field that comes first."""
    apart: list[tuple[Span, Field]] = []
    for (start, end), of in sorted(found, key=itemgetter(0)):
        if apart and start < apart[-1][0][1]:
            (first, last), before = apart[-1]
            apart[-1] = ((first, max(last, end)), min(before, of, key=_FIELDS.index))
        else:
            apart.append(((start, end), of))
    return apart
