"""Signed tree heads: what a log says of itself under its key, and which key that is after each change of it.

A head is a C2SP checkpoint: the log's id as origin, its size and its root. The log names its key in the entry that
opens it, and each change in an entry that names both keys.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from guarded_agents.audit._note import (
    Note,
    Signer,
    TreeHead,
    Verifier,
    head_text,
    parse_head_text,
    parse_note,
    parse_verifier,
    sign_note,
)
from guarded_agents.errors import NoteError

KEY: Final = "key"
OLD: Final = "old"
NEW: Final = "new"
"""The fields in which an entry names keys (vkeys): that of a log that is opened, and the two of a change."""


def sign_head(head: TreeHead, *signers: Signer) -> Note:
    """Return *head* as a note signed by each of *signers*. Raises what they raise, and NoteError for a bad origin."""
    note = Note(head_text(head))
    for signer in signers:
        note = sign_note(note, signer)
    return note


class HeadCheck:
    """Follows the signed heads of a log, from the smallest on, and the keys that it names, while it is walked.

    Each head has to be signed by the key that the log names there, and one over a change of the key by both. Whether
    that key is the log's own, only who was handed one can tell: of the keys given, one has to have signed a head. It
    vouches for what comes before that head, and, over each change under both, for what comes after it.
    """

    def __init__(
        self,
        heads: Iterable[tuple[int, bytes]] | None = None,
        keys: Collection[Verifier] = (),
        witnesses: Collection[Verifier] = (),
    ) -> None:
        """Check *heads* (size, note) by the *keys* that were handed over; each of *witnesses* has to have cosigned one.

        A key that follows on a lost one, which cannot sign any more, is believed where it was handed over. Without
        *heads* (None) those are not looked for.
        """
        self._is_asked = heads is not None
        self._heads, self._given = iter(heads or ()), frozenset(keys)
        self._next = next(self._heads, None)
        self._named: Verifier | None = None
        self._before = set[Verifier]()  # keys that have to sign the next head too: each that was changed since the last
        self._is_vouched = False
        self._witnessed = dict.fromkeys(witnesses, 0)
        self.signed = 0  # entries under the newest head that holds

    @property
    def due(self) -> int:
        """The size at which the next head stands, -1 where there is none."""
        return -1 if self._next is None else self._next[0]

    @property
    def witnessed(self) -> int:
        """Entries under heads that every witness has cosigned, 0 where there are no witnesses."""
        return min(self._witnessed.values(), default=0)

    @property
    def given(self) -> bool:
        """Whether keys were given, and the log's own word is not all there is."""
        return bool(self._given)

    @property
    def key(self) -> Verifier | None:
        """The key that signs the log now, None where it names none."""
        return self._named

    def read(self, fields: Mapping[str, object]) -> str:
        """Take what an entry says of keys; return what is wrong with it, nothing where it is well."""
        named = self._named
        try:
            if OLD in fields:
                old, self._named = _verifier(fields[OLD]), _verifier(fields[NEW])
                self._before.add(old)
                return "" if named in (None, old) else "the entry changes a key that was not the log's"
            if fields.get(KEY) is None:
                return ""
            self._named = _verifier(fields[KEY])
        except (NoteError, KeyError):
            return "the entry names a key that is none"
        return "" if named in (None, self._named) else "the log was opened with another key, and no entry changes it"

    def at(self, log: str, size: int, root: bytes) -> Iterator[str]:
        """Yield what is wrong with the head that is due at *size*, where *root* is that of the entries."""
        row, self._next = self._next, next(self._heads, None)
        stored = b"" if row is None else row[1]
        try:
            note = parse_note(stored)
            head = parse_head_text(note.text)
        except NoteError:
            yield f"the head of {size:,} entries is no signed tree head"
            return
        if head.origin != log:
            yield f"the head of {size:,} entries is that of another log"
        elif head.size != size or head.root != root:
            yield f"the first {size:,} entries do not lead to the signed head"
        elif not self._is_signed(note):
            yield f"the head of {size:,} entries is not signed by the key of the log"
        else:
            self.signed = size
            self._before.clear()
            self._is_vouched = self._is_vouched or any(key.holds(note) for key in self._given)
            self._witnessed |= {key: size for key in self._witnessed if key.holds(note)}

    def beyond(self, size: int) -> Iterator[str]:
        """Yield what heads say that stand beyond the end of a log of *size* entries, or before its beginning."""
        if self._next is not None:
            yield f"the log ends after {size:,} entries, a head of {self._next[0]:,} is kept with it"
        elif self._is_asked and not self.signed and self._named is not None:
            yield "the log names a key, and no head of it is signed"
        if self._given and not self._is_vouched:
            yield "no head is signed by a key that was given"
        for key, seen in self._witnessed.items():
            if not seen:
                yield f"no head is cosigned by the witness {key.name}"

    def _is_signed(self, note: Note) -> bool:
        if self._named is None or not self._named.holds(note):
            return False
        return all(key.holds(note) for key in self._before) or self._named in self._given


def _verifier(vkey: object) -> Verifier:
    return parse_verifier(vkey if isinstance(vkey, str) else "")
