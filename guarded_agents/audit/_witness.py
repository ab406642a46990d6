"""A witness: it cosigns the head of a log where that only grew since the head that it cosigned last.

What one answers to is C2SP tlog-witness, ``add-checkpoint``. It knows of a log its keys and the newest head, and
nothing of the entries. Whoever has a cosigned head knows that every later one that the witness signs goes on from it.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from guarded_agents.audit._note import (
    MAX_NOTE_BYTES,
    Note,
    Signer,
    TreeHead,
    Verifier,
    cosign_note,
    decode_base64,
    parse_head_text,
    parse_note,
    signature_lines,
)
from guarded_agents.audit._tree import HASH_BYTES, holds_consistency
from guarded_agents.errors import NoteError

SIZE_TYPE: Final = "text/x.tlog.size"
_MAX_HASHES: Final = 63
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,17})")


class Status(IntEnum):
    """What a witness answers, as a status of HTTP."""

    OK = 200
    BAD_REQUEST = 400
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    LENGTH_REQUIRED = 411
    TOO_LARGE = 413
    INCONSISTENT = 422


class Answer(NamedTuple):
    """An answer: the status and the body; *seen* is the head to be remembered before it is sent."""

    status: Status
    body: str = ""
    seen: TreeHead | None = None
    media_type: str = "text/plain; charset=utf-8"


class Submission(NamedTuple):
    """A head that is to be cosigned, and the proof that it goes on from the one of *old* entries."""

    old: int
    proof: tuple[bytes, ...]
    note: Note

    def dump(self) -> bytes:
        """Return the body of the request."""
        lines = [f"old {self.old}", *(b64encode(one).decode() for one in self.proof), "", ""]
        return "\n".join(lines).encode() + self.note.dump()


def parse_submission(body: bytes) -> Submission:
    """Return what *body* submits. Raises NoteError for what is none."""
    above, gap, note = body.partition(b"\n\n")
    first, *proof = above.decode(errors="replace").split("\n")
    old, hashes = _OLD.fullmatch(first), tuple(map(decode_base64, proof))
    if old is None or not gap or len(hashes) > _MAX_HASHES or any(len(one) != HASH_BYTES for one in hashes):
        raise NoteError(
            "submitted head",
            expected="the size before, a proof of at most 63 hashes, an empty line and a head",
            got="something else",
            action="send what tlog-witness says",
        )
    return Submission(int(old[1]), hashes, parse_note(note))


@dataclass(frozen=True, slots=True)
class Witness:
    """Who cosigns, and the keys of each log that it watches, by the log's origin."""

    signer: Signer
    logs: Mapping[str, Collection[Verifier]]

    def answer(self, body: bytes, before: Mapping[str, TreeHead], *, at_s: int) -> Answer:
        """Answer to the submission *body*; *before* are the heads cosigned last, by origin, *at_s* seconds since 1970.

        To be asked for one submission after the other: what is *seen* is in *before* of the next.
        """
        if len(body) > MAX_NOTE_BYTES:
            return Answer(Status.TOO_LARGE)
        try:
            submission = parse_submission(body)
            head = parse_head_text(submission.note.text)
        except NoteError as error:
            return Answer(Status.BAD_REQUEST, f"{error}\n")
        keys = self.logs.get(head.origin)
        if keys is None:
            return Answer(Status.NOT_FOUND, "this log is not watched here\n")
        if not any(key.holds(submission.note) for key in keys):
            return Answer(Status.FORBIDDEN, "the head is not signed by a key of the log\n")
        refused = _refused(submission, head, before.get(head.origin, TreeHead(head.origin, 0, b"")))
        if refused is not None:
            return refused
        signed = cosign_note(Note(submission.note.text), self.signer, at_s=at_s)
        return Answer(Status.OK, signature_lines(signed), head)


def _refused(submission: Submission, head: TreeHead, last: TreeHead) -> Answer | None:
    """Return the answer to a head that does not go on from *last*, None where it does."""
    if submission.old > head.size:
        return Answer(Status.BAD_REQUEST, "the size before is larger than that of the head\n")
    if submission.old != last.size:
        return Answer(Status.CONFLICT, f"{last.size}\n", media_type=SIZE_TYPE)
    if submission.old == head.size and head.root != last.root:
        return Answer(Status.CONFLICT, "a head of this size was cosigned with another root\n")
    if last.size == 0:
        return Answer(Status.INCONSISTENT, "a first head has no proof\n") if submission.proof else None
    grew = holds_consistency(last.size, head.size, submission.proof, first_root=last.root, second_root=head.root)
    return None if grew else Answer(Status.INCONSISTENT, "the head does not go on from the one before\n")
