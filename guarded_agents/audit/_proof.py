"""The proof that one entry is in the log, as a text that is verified without it: C2SP tlog-proof v1.

The entry's exact bytes travel as the extra data. That is not authenticated by itself: it is believed where the proof
leads from its leaf hash to the signed root.
"""

import re
from base64 import b64encode
from typing import Final, NamedTuple

from guarded_agents.audit._entry import leaf_hash
from guarded_agents.audit._note import Note, Verifier, decode_base64, parse_head_text, parse_note
from guarded_agents.audit._tree import HASH_BYTES, holds_inclusion
from guarded_agents.errors import NoteError

MAX_PROOF_BYTES: Final = 4_000_000
_FIRST: Final = "c2sp.org/tlog-proof@v1"
_EXTRA: Final = "extra "
_INDEX: Final = "index "
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_MAX_HASHES: Final = 63


class EntryProof(NamedTuple):
    """That *stored*, the bytes of an entry, are entry *sequence* below the root that *head*, a signed head, names."""

    stored: bytes
    sequence: int
    path: tuple[bytes, ...]  # RFC 6962 section 2.1.1, the leaf's side first
    head: Note

    def dump(self) -> bytes:
        """Return the proof as a ``.tlog-proof`` file has it."""
        lines = [_FIRST, _EXTRA + b64encode(self.stored).decode(), f"{_INDEX}{self.sequence}"]
        lines += [b64encode(one).decode() for one in self.path]
        return "\n".join([*lines, "", ""]).encode() + self.head.dump()

    def holds(self, key: Verifier) -> bool:
        """Return whether the entry is where it says, below a head that is signed by *key*."""
        if not key.holds(self.head):
            return False
        try:
            head = parse_head_text(self.head.text)
        except NoteError:
            return False
        leaf = bytes.fromhex(leaf_hash(self.stored))
        return holds_inclusion(leaf, self.sequence, head.size, self.path, root=head.root)


def parse_proof(stored: bytes) -> EntryProof:
    """Return the proof that *stored* holds, with the entry as its extra data. Raises NoteError for what is none."""
    if len(stored) > MAX_PROOF_BYTES:
        raise _malformed(f"at most {MAX_PROOF_BYTES:,} bytes")
    above, gap, note = stored.partition(b"\n\n")
    first, *lines = above.decode(errors="replace").split("\n")
    if first != _FIRST or not gap or len(lines) < len((_EXTRA, _INDEX)):
        raise _malformed("a proof of one entry (c2sp.org/tlog-proof@v1) with the entry as extra data")
    extra, index, *path = lines
    entry, number = extra.removeprefix(_EXTRA), index.removeprefix(_INDEX)
    hashes = tuple(decode_base64(line) for line in path)
    is_whole = extra != entry and index != number and _NUMBER.fullmatch(number)
    if not is_whole or len(hashes) > _MAX_HASHES or any(len(one) != HASH_BYTES for one in hashes):
        raise _malformed("an entry, its index and the hashes of its audit path, each in a line")
    return EntryProof(decode_base64(entry), int(number), hashes, parse_note(note))


def _malformed(expected: str) -> NoteError:
    return NoteError("proof of an entry", expected=expected, got="something else", action="make it again")
