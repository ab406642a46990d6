"""Verifies an audit log with the standard library and `cryptography` alone: copy this one file, read it, run it.

    python standalone_verify.py STORE_OR_TLOGPROOF [--vkey VKEY]... [--witness VKEY]... [--head FILE]... [--json]

Written from RFC 6962 section 2.1, RFC 9162 section 2.1.3.2, RFC 8032 and C2SP signed-note, tlog-checkpoint,
tlog-cosignature and tlog-proof, not from the package that wrote the log, of which nothing is imported. Python 3.11.
"""

import argparse
import heapq
import json
import math
import re
import sqlite3
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PROVES: Final = """\
Checks every entry of a log from the first on, or one entry by its proof, and changes nothing. Of a store, an SQLite
file, take a copy, with the -wal beside it if there is one, to a folder where SQLite may put a -wal and a -shm.

It proves, of a STORE:
  - that no byte of an entry was changed, and that none is missing, doubled, moved or put in between;
  - that each signed head in the store is the root (RFC 6962) of the log at its size;
  - with --vkey, that a key trusted at that size signed each: one given here, or one that a trusted key handed over to
    in an entry `key_rotated`, from the first head on that both signed. The old key signs no larger head. Of a log whose
    key was rotated, give the first: the others follow from it;
  - with --witness, how far somebody else saw the log grow and nothing change;
  - with --head, that the log goes on from a head that you kept elsewhere: a signed note, or a line LOG:SIZE:ROOT.
Of a TLOG-PROOF: that its entry is in the log of its signed head. It needs a --vkey, a --witness or the same --head.

It does not prove, without a kept head or a witness:
  - that the log was not cut off at a signed head, nor that the file was not rolled back to an older state;
  - that whoever holds the log's key did not write and sign all of it anew.
With one it proves both up to that size; what lies behind is proved by the log itself alone. It never proves that
something was recorded in the first place, or that what an entry says is true.

Every --vkey has to have signed a head of the store (one of them that of a proof), every --witness cosigned one.
Exit status 0: verified. 1: not verified, and each fault named with its place. 2: wrong use, or nothing to be read."""

VERIFIED, NOT_VERIFIED, UNREADABLE = 0, 1, 2
MAX_LISTED: Final = 1_000  # faults, and warnings; the others are counted
MAX_SIGNATURES: Final = 100  # of a note: C2SP asks for some limit
SIGNATURE, COSIGNATURE = 0x01, 0x04  # types of signed-note, both Ed25519
KEY_BYTES, HASH_BYTES = 32, 32
PROOF, SQLITE = b"c2sp.org/tlog-proof@v1\n", b"SQLite format 3\x00"
NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
CONTROL: Final = re.compile(rb"[\x00-\x09\x0b-\x1f]")  # no note holds one
NAME: Final = re.compile(r"[^\s+]+")  # of a key
SIGNED: Final = re.compile(r"\u2014 ([^\s+]+) (\S+)")  # a line of signed-note
AT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
MAX_TIME_S: Final = 253_402_300_799  # the end of the year 9999
LEVELS: Final = 8  # of every so many levels the store keeps the subtrees
STEP: Final = 20_000  # entries between two signs of life


@dataclass
class Report:
    """What was found. A place is "entry" with its sequence, or "head" with its size."""

    log: str = ""
    entries: int = 0
    root: str = ""
    signed: int | None = None  # the size of the largest head that a trusted key signed
    kept: int | None = None  # that of the largest kept head from which the log goes on
    witnessed: dict[str, tuple[int, str]] = field(default_factory=dict)  # by vkey: the largest cosigned, and when
    faults: list[dict[str, str]] = field(default_factory=list)
    warnings: list[dict[str, str]] = field(default_factory=list)  # do not make the log false
    omitted: int = 0

    def fault(self, place: str, what: str, *, is_fault: bool = True) -> None:
        """List a fault, or a warning."""
        found = self.faults if is_fault else self.warnings
        if len(found) < MAX_LISTED:
            found.append({"place": place, "what": what})
        else:
            self.omitted += 1


# -- RFC 6962: the tree ------------------------------------------------------------------------------------------------
def leaf_of(entry: bytes) -> bytes:
    """Return the hash of a leaf (RFC 6962 section 2.1)."""
    return sha256(b"\x00" + entry).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """Return the hash over two nodes (RFC 6962 section 2.1)."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A tree that grows. Of it the roots of the perfect subtrees are kept, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.roots: list[bytes] = []

    def append(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Add *leaf* and yield level, place and hash of each subtree that is whole with it."""
        found, place, level = leaf, self.size, 0
        self.size += 1
        while place & 1:
            found, place, level = node_of(self.roots.pop(), found), place >> 1, level + 1
            yield level, place, found
        self.roots.append(found)

    def root(self) -> bytes:
        """Return the root over all leaves so far: MTH of RFC 6962 section 2.1."""
        if not self.roots:
            return sha256(b"").digest()
        found = self.roots[-1]
        for root in self.roots[-2::-1]:
            found = node_of(root, found)
        return found


def root_by(path: Iterable[bytes], leaf: bytes, index: int, size: int) -> bytes | None:
    """Return the root that *path* gives for *leaf* at *index* of *size*, if any (RFC 9162 section 2.1.3.2)."""
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last <= 0:
            return None
        if at & 1 or at == last:
            found = node_of(sibling, found)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            found = node_of(found, sibling)
        at, last = at >> 1, last >> 1
    return found if last == 0 and index < size else None


# -- C2SP: keys, notes, heads ------------------------------------------------------------------------------------------
def base64(text: str) -> bytes:
    """Return what *text* spells in the one way in which it can be spelt (RFC 4648 section 3.5). Raises ValueError."""
    found = b64decode(text, validate=True)
    if b64encode(found).decode() != text:
        raise ValueError("base64 that is not written as base64 is")
    return found


def time_of(cosignature: bytes) -> int:
    """Return when a witness signed, in seconds since 1970."""
    return int.from_bytes(cosignature[:8], "big")


@dataclass(frozen=True)
class Key:
    """An Ed25519 public key under a name. Its text is the vkey of signed-note."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """Return the key id of signed-note."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.kind]) + self.public).decode()}"

    def holds(self, signature: bytes, text: str) -> bool:
        """Return whether this key made *signature* of *text*."""
        said = text.encode()
        if self.kind == COSIGNATURE:  # the time comes first, and is signed with the text
            at_s, signature = time_of(signature), signature[8:]
            said = b"cosignature/v1\ntime %d\n" % at_s + said
            if at_s > MAX_TIME_S:
                return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, said)
        except (InvalidSignature, ValueError):
            return False
        return True


def parse_key(vkey: str, kind: int) -> Key:
    """Return the key of *kind* that *vkey* spells. Raises ValueError."""
    name, _, rest = vkey.partition("+")
    public = base64(rest.partition("+")[2])
    key = Key(name, kind, public[1:])
    if str(key) != vkey or len(key.public) != KEY_BYTES or not NAME.fullmatch(name):
        raise ValueError(f"expected a vkey, NAME+ID+KEY, of type 0x{kind:02x} (Ed25519), got something else")
    return key


class Head(NamedTuple):
    """The head of a tree: its size, log and root, and, of a signed note, the text and who signed it."""

    size: int
    log: str
    root: bytes
    place: str
    text: str = ""
    signatures: tuple[tuple[str, bytes], ...] = ()  # name; key id and signature

    def by(self, key: Key) -> list[bytes]:
        """Return the signatures that name *key*."""
        return [one[4:] for name, one in self.signatures if (name, one[:4]) == (key.name, key.id)]


def parse_note(stored: bytes, place: str) -> Head:
    """Return the head that a signed note holds. Nothing is verified. Raises ValueError."""
    text, _, rest = stored.decode().rpartition("\n\n")
    log, size, root, *more = text.split("\n")  # of fewer lines, a ValueError too
    *signed, end = rest.split("\n")
    lines = [SIGNED.fullmatch(line) for line in signed[: MAX_SIGNATURES + 1]]
    signatures = tuple((line[1], base64(line[2])) for line in lines if line)
    if not (log and NUMBER.fullmatch(size) and len(base64(root)) == HASH_BYTES and all(more)):
        raise ValueError("expected a tree head: log, size and root, each in a line")
    if end or not 0 < len(signatures) == len(signed) <= MAX_SIGNATURES or CONTROL.search(stored):
        raise ValueError("expected an empty line and lines of signatures behind the text")
    return Head(int(size), log, base64(root), f"{place} {size}", text + "\n", signatures)


def parse_kept(stored: bytes) -> Head:
    """Return a head kept elsewhere: a signed note, or LOG:SIZE:ROOT with the root in hex. Raises ValueError."""
    if b"\n\n" in stored:
        return parse_note(stored, "kept head")
    log, size, root = ["", "", "", *stored.decode().strip().rsplit(":", 2)][-3:]
    if not log or not NUMBER.fullmatch(size) or not re.fullmatch("[0-9a-f]{64}", root):
        raise ValueError("expected a signed note or LOG:SIZE:ROOT as a kept head, got something else")
    return Head(int(size), log, bytes.fromhex(root), f"kept head {size}")


class Trust:
    """The keys that may sign heads, as one hands over to the next, and the witnesses."""

    def __init__(self, keys: Sequence[Key], witnesses: Sequence[Key], report: Report) -> None:
        self.keys, self.witnesses, self.report = keys, witnesses, report
        self.trusted, self.signers = set(keys), set[Key]()
        self.retired: dict[Key, int] = {}  # and the size of the last head that each may have signed
        self.coming: dict[int, tuple[Key, Key]] = {}  # by the sequence of the entry: the old key and the new one

    def hand_over(self, sequence: int, fields: Mapping[str, object]) -> None:
        """Note that entry *sequence* names a new key. It is trusted once a head behind it is signed by both."""
        try:
            old, new = (parse_key(str(fields.get(name)), SIGNATURE) for name in ("old", "new"))
        except ValueError as error:
            self.report.fault(f"entry {sequence}", f"a rotation whose keys cannot be read: {error}")
        else:
            self.coming[sequence] = (old, new)

    def judge(self, head: Head, *, stands: bool) -> None:
        """Check who signed *head*; *stands* is whether it is the log's."""
        coming = {new for _, new in self.coming.values()}
        known = {*self.keys, *self.trusted, *self.retired, *coming, *self.witnesses}
        holding = {key for key in sorted(known, key=str) if self._holds(key, head)}
        if stands:
            self._take_over(head.size, holding)
            for witness in (one for one in self.witnesses if one in holding):
                at = datetime.fromtimestamp(max(map(time_of, head.by(witness))), UTC)
                self.report.witnessed[str(witness)] = (head.size, f"{at:%Y-%m-%dT%H:%M:%SZ}")
        good = {key for key in holding if key in self.trusted or head.size <= self.retired.get(key, -1)}
        self.signers |= good
        if good and stands:
            self.report.signed = head.size
        elif self.keys and not good:
            who = "only a retired key" if holding & self.retired.keys() else "no key that is trusted at this size"
            self.report.fault(head.place, f"{who} signed it")

    def _holds(self, key: Key, head: Head) -> bool:
        own = head.by(key)
        if all(key.holds(one, head.text) for one in own):
            return bool(own)
        self.report.fault(head.place, f"a signature in the name of {key} is false")  # C2SP: then the note is, too
        return False

    def _take_over(self, size: int, holding: set[Key]) -> None:
        for sequence, (old, new) in list(self.coming.items()):
            if old in self.trusted & holding and new in holding:
                del self.coming[sequence]
                self.trusted = (self.trusted - {old}) | {new}
                self.retired[old] = size

    def finish(self, *, whole: bool) -> None:
        """Find which of the keys given signed nothing: all have to of a *whole* log, and one of a single head."""
        for key in self.keys if whole else ():
            if key not in self.signers:
                self.report.fault("log", f"no head is signed by {key}, which was given")
        for witness in map(str, self.witnesses):
            if witness not in self.report.witnessed:
                self.report.fault("log", f"no head is cosigned by the witness {witness}")
        for sequence in self.coming:
            what = "a rotation of keys that no head signed by both, the old one trusted, has made good"
            self.report.fault(f"entry {sequence}", what, is_fault=False)


# -- the entries -------------------------------------------------------------------------------------------------------
class Entry(NamedTuple):
    """An entry, as its bytes say."""

    at: str
    fields: dict[str, object]
    kind: str
    log: str
    previous: str
    sequence: int


DECODER: Final = json.JSONDecoder(parse_float=set, parse_constant=set)  # a set cannot be encoded again
ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def parse_entry(stored: bytes) -> Entry:
    """Return the entry that *stored* spells in the one way in which it can be spelt. Raises ValueError."""
    try:
        said = DECODER.decode(stored.decode())
        is_exact = ENCODER.encode(said).encode() == stored  # so neither is a key doubled
    except (RecursionError, TypeError):
        raise ValueError("a number with a point, or nested too deeply") from None
    if not is_exact or type(said) is not dict or said.keys() != set(Entry._fields):
        raise ValueError("other keys, or written otherwise than entries are")
    entry = Entry(**said)
    if [*map(type, entry)] != [str, dict, str, str, str, int] or not entry.kind or not AT.fullmatch(entry.at):
        raise ValueError("a key that holds something else than in entries")
    datetime.fromisoformat(entry.at)  # there is no 30th of February
    return entry


class Walk:
    """One pass over a store, from the first entry on. Memory does not grow with the log."""

    def __init__(self, db: sqlite3.Connection, trust: Trust, report: Report) -> None:
        self.db, self.trust, self.report = db, trust, report
        schema = db.execute("SELECT lower(name), type, upper(sql) FROM sqlite_master")
        # A view or a virtual table could show each of its readers something else.
        self.tables = {name for name, kind, sql in schema if kind == "table" and sql[:12] == "CREATE TABLE"}
        if not {"audit", "guard_meta"} <= self.tables:
            raise ValueError("expected a store, got a database without its tables")
        self.tree, self.next, self.previous, self.at = Tree(), 0, "0" * 64, ""
        self.subtrees = 0  # how many the store has to keep

    def run(self, kept: Iterable[Head]) -> None:
        """Check every entry, each head where it stands, and what is kept of the tree."""
        try:
            self._name()
            heads = heapq.merge(self._heads(), sorted(kept), key=lambda head: head.size)
            waiting = self._heads_to(0, next(heads, None), heads)
            rows = self.db.execute("SELECT sequence, body, hash FROM audit NOT INDEXED ORDER BY sequence")
            for row in rows:  # from the table itself: an index could hold other rows
                self._row(*row)
                waiting = self._heads_to(self.tree.size, waiting, heads)
                if not self.tree.size % STEP and sys.stderr.isatty():
                    sys.stderr.write(f"\r{self.tree.size:,} entries\r")
            self._heads_to(math.inf, waiting, heads)
            self._kept_tree()
        except sqlite3.OperationalError:
            raise  # a lock or a disk: the log is not to blame
        except sqlite3.DatabaseError as error:
            self.report.fault(f"entry {self.next}", f"the store is damaged and cannot be read from here on: {error}")
        if sys.stderr.isatty():
            sys.stderr.write("\x1b[K")
        self.report.entries, self.report.root = self.tree.size, self.tree.root().hex()

    def _name(self) -> None:
        names = self.db.execute("SELECT value FROM guard_meta WHERE name = 'log_id'").fetchall()
        if len(names) == 1 and isinstance(names[0][0], str):
            self.report.log = names[0][0]  # every entry and every head has to say the same
        else:
            self.report.fault("log", "the store does not say which it is")

    def _heads(self) -> Iterator[Head]:
        """Yield the heads that the store keeps, the smallest first."""
        query = "SELECT size, note FROM heads NOT INDEXED ORDER BY size"
        for size, note in self.db.execute(query) if "heads" in self.tables else ():
            try:
                head = parse_note(note if isinstance(note, bytes) else b"", "head")
            except ValueError as error:
                self.report.fault(f"head {size}", f"not a signed head: {error}")
                continue
            if head.size == size:
                yield head
            else:
                self.report.fault(f"head {size}", f"the row holds a head of {head.size} entries")

    def _heads_to(self, size: float, head: Head | None, heads: Iterator[Head]) -> Head | None:
        """Check *head* and those behind it, up to *size*, and return the first that is larger."""
        while head is not None and head.size <= size:
            self._head(head)
            head = next(heads, None)
        return head

    def _head(self, head: Head) -> None:
        """Compare *head* with the tree, which has as many entries, or less where the log ends."""
        stands = False
        if head.log != self.report.log:
            self.report.fault(head.place, "the head of another log")
        elif head.size > self.tree.size:
            self.report.fault(head.place, f"the log was cut off: it ends after {self.tree.size} entries")
        elif head.root != self.tree.root():
            self.report.fault(head.place, "the entries do not lead to this root: some were changed, or it is of a fork")
        else:
            stands = True
            if head.place.startswith("kept"):
                self.report.kept = head.size
        if head.signatures:
            self.trust.judge(head, stands=stands)

    def _row(self, number: object, body: object, recorded: object) -> None:
        """Check one row."""
        place = f"entry {number}"
        if not isinstance(number, int) or number < self.next:
            self.report.fault(place, "a row that stands twice or before the beginning")
        else:
            if number > self.next:
                self.report.fault(f"entry {self.next}", f"missing, as are all before entry {number}")
            self.next = number + 1
        stored = body if isinstance(body, bytes) else b""
        leaf = leaf_of(stored)
        if recorded != leaf.hex():
            self.report.fault(place, "bytes and hash do not fit: one of them was changed")
        try:
            self._entry(place, number, parse_entry(stored))
        except ValueError as error:
            self.report.fault(place, f"the row holds no entry: {error}")
        for level, index, found in self.tree.append(leaf):
            if not level % LEVELS:
                self._subtree(level, index, found)
        self.previous = leaf.hex()

    def _entry(self, place: str, number: object, entry: Entry) -> None:
        """Check what *entry* says of itself."""
        if entry.sequence != number:
            self.report.fault(place, f"by its own account entry {entry.sequence}")
        if entry.previous != self.previous:
            self.report.fault(place, "does not follow the one before it")
        if entry.log != self.report.log:
            self.report.fault(place, "an entry of another log")
        if entry.at < self.at:
            self.report.fault(place, "the clock went backwards", is_fault=False)
        self.at = entry.at
        if entry.kind == "key_rotated" and self.trust.keys:
            self.trust.hand_over(entry.sequence, entry.fields)

    def _subtree(self, level: int, index: int, found: bytes) -> None:
        self.subtrees += 1
        if "subtrees" in self.tables:
            kept = self.db.execute("SELECT hash FROM subtrees WHERE level = ? AND place = ?", (level, index))
            if kept.fetchall() != [(found,)]:
                self.report.fault(f"subtree {index} of level {level}", "not kept, or not as the entries give it")

    def _kept_tree(self) -> None:
        """Compare the rest of what the store keeps to make proofs of."""
        if not {"frontier", "subtrees"} <= self.tables:
            self.report.fault("log", "the store keeps no tree, or not all of it", is_fault=False)
            return
        frontier = self.db.execute("SELECT size, roots FROM frontier").fetchall()
        if frontier != [(self.tree.size, b"".join(self.tree.roots))]:
            self.report.fault("frontier", f"not that of the {self.tree.size} entries that are there")
        ((count,),) = self.db.execute("SELECT count(*) FROM subtrees")
        if count != self.subtrees:
            self.report.fault("subtrees", f"expected {self.subtrees} rows, got {count}")


def verify_store(path: Path, trust: Trust, kept: Iterable[Head], report: Report) -> None:
    """Verify the store at *path*. Raises ValueError and sqlite3.Error where it cannot be read."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=0", uri=True)) as db:
        db.text_factory = lambda text: text.decode(errors="surrogateescape")
        db.execute("PRAGMA trusted_schema = OFF")  # whoever writes the file writes its schema too
        db.execute("BEGIN")  # all is read as it was at one moment
        Walk(db, trust, report).run(kept)
    trust.finish(whole=True)


# -- one entry, by its proof -------------------------------------------------------------------------------------------
def parse_proof(stored: bytes) -> tuple[Head, int, bytes, list[bytes]]:
    """Return head, index, entry's bytes and path of a proof (C2SP tlog-proof). Raises ValueError."""
    top, _, note = stored.partition(b"\n\n")
    found = re.fullmatch(r"[^\n]*\nextra ([^\n]+)\nindex ([^\n]+)((?:\n[^\n]+)*)", top.decode())
    path = [*map(base64, found[3].split("\n")[1:])] if found else []
    if not found or not NUMBER.fullmatch(found[2]) or {*map(len, path)} - {HASH_BYTES}:
        raise ValueError("expected `extra` with the bytes of the entry, `index`, and hashes")
    return parse_note(note, "head"), int(found[2]), base64(found[1]), path


def verify_proof(stored: bytes, trust: Trust, kept: Sequence[Head], report: Report) -> None:
    """Verify a proof that carries its entry. Raises ValueError for what is none."""
    if not stored.startswith(PROOF):
        raise ValueError("expected an SQLite store or a tlog-proof, got another file")
    if not (trust.keys or trust.witnesses or kept):
        raise ValueError("expected a --vkey, a --witness or a --head to hold the proof against, got none")
    try:
        head, number, body, path = parse_proof(stored)
        entry = parse_entry(body)
    except ValueError as error:
        report.fault("proof", f"cannot be read: {error}")
        return
    report.log, report.entries, report.root = head.log, head.size, head.root.hex()
    if (entry.log, entry.sequence) != (head.log, number):
        report.fault(f"entry {number}", f"by its own account entry {entry.sequence} of {entry.log}")
    stands = root_by(path, leaf_of(body), number, head.size) == head.root
    if not stands:
        report.fault(f"entry {number}", "the path does not lead to the root")
    for own in kept:
        if own[:3] == head[:3]:  # size, log, root
            report.kept = own.size
        else:
            report.fault(own.place, "another head than the proof's")
    trust.judge(head, stands=stands)
    trust.finish(whole=False)


# -- what is told ------------------------------------------------------------------------------------------------------
def not_proved(report: Report, trust: Trust) -> Iterator[str]:
    """Yield what this run cannot have proved."""
    if not trust.keys:
        yield "no --vkey was given: who signed the heads was not checked"
    elif (signed := report.signed or 0) < report.entries:
        yield f"the last {report.entries - signed:,} entries lie behind the last signed head"
    far = max(report.kept or 0, *(size for size, _ in report.witnessed.values()), 0)
    if far < report.entries:
        where = f"behind {far:,} entries" if far else "without a kept head (--head) or a witness (--witness)"
        yield f"{where}, no cut-off at a signed head, rollback, or rewrite by the holder of the key is found"


def summary(path: Path, report: Report, trust: Trust) -> dict[str, object]:
    """Return all that is told."""
    head = f"{report.log}:{report.entries}:{report.root}"  # to be kept elsewhere
    whole = {"path": str(path), "verified": not report.faults, "head": head, **asdict(report)}
    whole["witnessed"] = [{"vkey": key, "size": size, "at": at} for key, (size, at) in report.witnessed.items()]
    return whole | {"not_proved": list(not_proved(report, trust))}


def lines_of(told: Mapping[str, object]) -> Iterator[str]:
    """Yield one line for each thing told, in ASCII: names in a log are another's, and may not move a cursor."""
    for name, value in told.items():
        for one in value if isinstance(value, list) else [value]:
            text = ": ".join(map(str, one.values())) if isinstance(one, dict) else one
            yield f"{name}: {text}".encode("unicode_escape").decode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify what the command line names, tell what was found, and return the exit status."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=PROVES, formatter_class=raw, allow_abbrev=False)
    parser.add_argument("path", metavar="STORE_OR_TLOGPROOF", type=Path)
    parser.add_argument("--vkey", action="append", default=[], help="a public key of the log, NAME+ID+KEY")
    parser.add_argument("--witness", metavar="VKEY", action="append", default=[], help="the public key of a witness")
    parser.add_argument("--head", metavar="FILE", action="append", default=[], type=Path, help="a head kept elsewhere")
    parser.add_argument("--json", action="store_true", help="tell it to a program")
    given, report = parser.parse_args(arguments), Report()
    try:
        keys = [parse_key(vkey, SIGNATURE) for vkey in given.vkey]
        trust = Trust(keys, [parse_key(vkey, COSIGNATURE) for vkey in given.witness], report)
        kept = [parse_kept(head.read_bytes()) for head in given.head]
        with given.path.open("rb") as file:
            start = file.read(len(SQLITE))
        if start == SQLITE:
            verify_store(given.path, trust, kept, report)
        else:
            verify_proof(given.path.read_bytes(), trust, kept, report)
    except (OSError, ValueError, sqlite3.Error) as error:
        sys.stderr.write("\n".join([*lines_of({str(given.path): error}), ""]))
        return UNREADABLE
    told = summary(given.path, report, trust)
    sys.stdout.write((json.dumps(told) if given.json else "\n".join(lines_of(told))) + "\n")
    return NOT_VERIFIED if report.faults else VERIFIED


if __name__ == "__main__":
    sys.exit(main())
