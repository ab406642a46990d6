"""An audit log written with nothing but sqlite3 and json, in the tables of a store: to verify, and to tamper with."""

import json
import sqlite3
from base64 import b64encode
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pymerkle import InmemoryTree

from guarded_agents.audit import Algorithm, KeySigner, Note, TreeHead, cosign_note, head_text, sign_note

KEY, NEXT, STRANGER = (KeySigner("desk", bytes([number]) * 32) for number in (1, 2, 3))
WITNESS, OTHER_WITNESS = (
    KeySigner(name, bytes([number]) * 32, Algorithm.COSIGNATURE) for name, number in (("w/1", 4), ("w/2", 5))
)
COSIGNED_S = 1_767_614_400  # 2026-01-05T12:00:00Z
TABLES = """
CREATE TABLE guard_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE audit (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash TEXT NOT NULL);
CREATE TABLE frontier (size INTEGER NOT NULL, roots BLOB NOT NULL) STRICT;
CREATE TABLE subtrees (level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place))
STRICT, WITHOUT ROWID;
CREATE TABLE heads (size INTEGER PRIMARY KEY, note BLOB NOT NULL);
"""
Row = tuple[int, bytes, str]


def body(entry: object) -> bytes:
    """Return the bytes of an entry."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf(stored: bytes) -> str:
    return sha256(b"\x00" + stored).hexdigest()


def rows_of(bodies: Iterable[bytes]) -> list[Row]:
    return [(number, stored, leaf(stored)) for number, stored in enumerate(bodies)]


def root_of(bodies: Iterable[bytes]) -> bytes:
    """Return the root that another implementation finds."""
    root: bytes = InmemoryTree.init_from_entries(list(bodies), algorithm="sha256").get_root()
    return root


@dataclass
class PlainLog:
    """A log in memory. What `write` writes is right, as long as nobody has changed the lists."""

    name: str = "desk"
    bodies: list[bytes] = field(default_factory=list)
    heads: dict[int, bytes] = field(default_factory=dict)

    def add(self, count: int = 1, *, kind: str = "decision", at: str | None = None, **fields: object) -> "PlainLog":
        for _ in range(count):
            number = len(self.bodies)
            self.bodies.append(
                body(
                    {
                        "at": at or f"2026-01-05T10:{number // 60 % 60:02d}:{number % 60:02d}.000000Z",
                        "fields": fields or {"n": number, "said": "é\n\u2028 \\ \U0001f600"},
                        "kind": kind,
                        "log": self.name,
                        "previous": leaf(self.bodies[-1]) if self.bodies else "0" * 64,
                        "sequence": number,
                    }
                )
            )
        return self

    def rotate(self, old: KeySigner, new: KeySigner) -> "PlainLog":
        return self.add(kind="key_rotated", old=str(old.verifier), new=str(new.verifier))

    def sign(self, *signers: KeySigner) -> "PlainLog":
        self.heads[len(self.bodies)] = self.head(*signers)
        return self

    def head(self, *signers: KeySigner, size: int | None = None) -> bytes:
        """Return the signed head of the first *size* entries."""
        size = len(self.bodies) if size is None else size
        note = Note(head_text(TreeHead(self.name, size, root_of(self.bodies[:size]))))
        for signer in signers:
            is_witness = signer.verifier.algorithm is Algorithm.COSIGNATURE
            note = cosign_note(note, signer, at_s=COSIGNED_S) if is_witness else sign_note(note, signer)
        return note.dump()

    def rebuilt(self, place: int, entry: bytes) -> "PlainLog":
        """Return a log with another *entry* at *place*, and all behind it chained anew. The heads are as they were."""
        bodies = [*self.bodies[:place], entry]
        for old in self.bodies[place + 1 :]:
            bodies.append(body(json.loads(old) | {"previous": leaf(bodies[-1])}))
        return PlainLog(self.name, bodies, dict(self.heads))

    def cut(self, size: int) -> "PlainLog":
        """Return the log as it was at *size*."""
        return PlainLog(self.name, self.bodies[:size], {at: note for at, note in self.heads.items() if at <= size})

    def proof(self, index: int, note: bytes, size: int) -> bytes:
        """Return the tlog-proof of entry *index* under the head *note* of *size* entries."""
        tree = InmemoryTree.init_from_entries(self.bodies[:size], algorithm="sha256")
        path = tree.prove_inclusion(index + 1, size).path  # it counts from 1, and begins with the leaf
        hashes = "".join(b64encode(one).decode() + "\n" for one in path[1:])
        extra = b64encode(self.bodies[index]).decode()
        return f"c2sp.org/tlog-proof@v1\nextra {extra}\nindex {index}\n{hashes}\n".encode() + note

    def write(self, path: Path, *, rows: Sequence[Row] | None = None) -> Path:
        """Write a store whose tree is that of *rows*, which stand for the log's own."""
        rows = rows_of(self.bodies) if rows is None else rows
        bodies = [stored for _, stored, _ in rows]
        with closing(sqlite3.connect(path)) as db, db:
            db.executescript(TABLES)
            db.execute("INSERT INTO guard_meta VALUES ('log_id', ?)", (self.name,))
            db.executemany("INSERT INTO audit VALUES (?, ?, ?)", rows)
            db.executemany("INSERT INTO heads VALUES (?, ?)", self.heads.items())
            write_tree(db, bodies)
        return path


def write_tree(db: sqlite3.Connection, bodies: Sequence[bytes]) -> None:
    """Write what a store keeps of the tree over *bodies*, for what it kept before."""
    size, begin, roots = len(bodies), 0, b""
    for count in (1 << level for level in reversed(range(size.bit_length()))):
        if size & count:
            roots += root_of(bodies[begin : begin + count])
            begin += count
    db.execute("DELETE FROM frontier")
    db.execute("INSERT INTO frontier VALUES (?, ?)", (size, roots))
    db.execute("DELETE FROM subtrees")
    for place in range(size >> 8):  # the logs here have none of level 16
        found = root_of(bodies[place << 8 : (place + 1) << 8])
        db.execute("INSERT INTO subtrees VALUES (8, ?, ?)", (place, found))
