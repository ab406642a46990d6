"""A witness as a process: what it cosigned last, in a file, and the HTTP by which heads reach it."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from guarded_agents.addresses import safe_address
from guarded_agents.audit import (
    SIZE_TYPE,
    Answer,
    Note,
    Status,
    Submission,
    TreeHead,
    Verifier,
    Witness,
    parse_head_text,
    parse_note,
    prove_consistency,
)
from guarded_agents.errors import AuditError, ConfigurationError, DeliveryError, NoteError
from guarded_agents.stores import Store

PATH: Final = "/add-checkpoint"
MAX_BODY_BYTES: Final = 1_100_000
_TIMEOUT_S: Final = 30.0


class WitnessFile:
    """The heads that a witness cosigned last, in a file of its own: on disk before the signature is sent."""

    def __init__(self, path: Path | str) -> None:
        """Open *path*, or make it (mode 0600). Raises ConfigurationError where it is another file."""
        self._lock = threading.Lock()
        Path(path).touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL)"
                " STRICT, WITHOUT ROWID"
            )
        except sqlite3.Error as error:
            self._db.close()
            raise ConfigurationError(
                str(path), expected="the file of a witness", got=str(error), action="name another file"
            ) from None

    def answer(self, witness: Witness, body: bytes, *, at_s: int) -> Answer:
        """Return the answer to *body*; one submission is answered after the other, also over processes."""
        with self._lock, closing(self._db.cursor()) as at:
            at.execute("BEGIN IMMEDIATE")
            try:
                rows = at.execute("SELECT origin, size, root FROM seen").fetchall()
                answer = witness.answer(body, {row[0]: TreeHead(*row) for row in rows}, at_s=at_s)
                if answer.seen is not None:
                    at.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", answer.seen)
                at.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    at.execute("ROLLBACK")
                raise
        return answer

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def witness_server(
    witness: Witness, seen: WitnessFile, *, address: tuple[str, int], now_s: Callable[[], int]
) -> ThreadingHTTPServer:
    """Return the server of *witness* at *address* (host, port; 0: any free one); ``serve_forever`` runs it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if self.path != PATH:
                self._send(Answer(Status.NOT_FOUND))
            elif not length.isascii() or not length.isdecimal():
                self._send(Answer(Status.LENGTH_REQUIRED))
            elif len(length) > len(str(MAX_BODY_BYTES)) or int(length) > MAX_BODY_BYTES:
                self._send(Answer(Status.TOO_LARGE))
            else:
                self._send(seen.answer(witness, self.rfile.read(int(length)), at_s=now_s()))

        def _send(self, answer: Answer) -> None:
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    Handler.timeout = _TIMEOUT_S
    return ThreadingHTTPServer(address, Handler)


async def cosign(store: Store, url: str, key: Verifier) -> TreeHead:
    """Have the newest signed head of *store* cosigned by the witness at *url*, whose key is *key*; keep it so.

    Raises AuditError where the witness has seen another log under this name, or a longer one: it was cut off, rolled
    back or written anew. Raises DeliveryError where the witness cannot be asked or refuses for another reason, and
    ConfigurationError for an address that is not safe, or a log without a signed head.
    """
    if safe_address(url) is None:
        raise ConfigurationError("witness", expected="an https address", got="another", action="correct the address")
    stored = store.signed_head()
    if stored is None:
        raise ConfigurationError("audit log", expected="a signed head", got="none", action="open it with a guard first")
    note = parse_note(stored)
    head = parse_head_text(note.text)
    status, told, body = await asyncio.to_thread(_send, url, _submission(store, head, note, _cosigned(store, key)))
    if status == Status.CONFLICT and told == SIZE_TYPE:  # it has seen more, or less, than is kept here
        status, told, body = await asyncio.to_thread(_send, url, _submission(store, head, note, _size(head, body)))
    if status in (Status.CONFLICT, Status.INCONSISTENT):
        raise _diverged(head, "another one of this name")
    if status != Status.OK:
        raise _undelivered(url, f"status {status}")
    await store.keep_head(_merged(note, body, key, url))
    return head


def _submission(store: Store, head: TreeHead, note: Note, old: int) -> bytes:
    proof = prove_consistency(old, head.size, store.audit_subtree) if old else ()
    return Submission(old, proof, note).dump()


def _cosigned(store: Store, key: Verifier) -> int:
    """Return the size of the largest kept head that *key* has cosigned, 0 where there is none."""
    held = [size for size, stored in store.audit_heads() if key.holds(parse_note(stored))]
    return max(held, default=0)


def _size(head: TreeHead, body: bytes) -> int:
    text = body.strip()[:20]
    size = int(text) if text.isdigit() else -1
    if not 0 <= size <= head.size:
        raise _diverged(head, "one that was longer, or no size")
    return size


def _merged(note: Note, body: bytes, key: Verifier, url: str) -> Note:
    try:
        signed = parse_note(f"{note.text}\n".encode() + body)
    except NoteError:
        raise _undelivered(url, "no cosignature") from None
    if not key.holds(signed):
        raise _undelivered(url, "a cosignature of another key")
    own = [one for one in signed.signatures if (one.name, one.key_id) == (key.name, key.key_id)]
    return Note(note.text, (*note.signatures, *own))


def _send(url: str, body: bytes) -> tuple[int, str, bytes]:
    request = Request(url.rstrip("/") + PATH, body, {"Content-Type": "text/plain; charset=utf-8"})  # noqa: S310 - checked
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as reply:  # noqa: S310 - its address was checked
            return reply.status, reply.headers.get_content_type(), reply.read(MAX_BODY_BYTES)
    except HTTPError as refused:
        with refused:
            return refused.code, refused.headers.get_content_type(), refused.read(MAX_BODY_BYTES)
    except (OSError, HTTPException) as error:
        raise _undelivered(url, type(error).__name__) from None


def _undelivered(url: str, got: str) -> DeliveryError:
    return DeliveryError(f"witness {url}", expected="a cosignature", got=got, action="look at its log, and try again")


def _diverged(head: TreeHead, got: str) -> AuditError:
    return AuditError(
        f"audit log {head.origin}",
        expected=f"a log of {head.size:,} entries that goes on from what the witness has seen",
        got=got,
        action="keep the store as it is, and verify it against the witness's head",
    )
