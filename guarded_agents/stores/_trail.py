"""What a thread's calls are weighed by: its user's texts, what it was shown, agreed to and has spent, and suspicions.

One table that only grows, so that who has read it up to a number reads on from there. Texts and answers stand in
``payloads``: erased, they give no authority any more.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from guarded_agents.records import CallKey, Endorsement, Labels, Licence, SignedPlanExtension
from guarded_agents.stores._payloads import dump_json, load_json, put
from guarded_agents.stores._results import SeenMessage, Trail
from guarded_agents.stores._rows import labels_of, ranks
from guarded_agents.stores._tx import Tx

_TEXT: Final = "text"
_MESSAGE: Final = "message"
_ENDORSED: Final = "endorsed"
_USE: Final = "use"
_PLAN: Final = "plan"
_EXTENSION: Final = "extension"
_SUSPICION: Final = "suspicion"
_STRICTEST: Final = Labels()
_INSERT: Final = (
    "INSERT INTO trail (thread, kind, name, integrity, confidentiality, document, payload) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_STAYS: Final = " ON CONFLICT DO NOTHING"
_JOINS: Final = (
    " ON CONFLICT DO UPDATE SET integrity = max(integrity, excluded.integrity),"
    " confidentiality = max(confidentiality, excluded.confidentiality)"
)
_ROW_IS: Final = "thread = ? AND kind = ? AND name = ?"


def trail_of(db: sqlite3.Connection, thread: str, after: int) -> Trail:
    """Return what is on record of *thread* behind number *after*."""
    rows = db.execute(
        "SELECT number, kind, name, integrity, confidentiality, document, body FROM trail"
        " LEFT JOIN payloads ON id = payload WHERE thread = ? AND number > ? ORDER BY number",
        (thread, after),
    )
    found = Trail(after)
    for number, kind, name, integrity, kept, document, body in rows:
        said = orjson.loads(document)
        if kind == _TEXT and body is not None:
            found.texts[name] = body.decode()
        elif kind == _MESSAGE and body is not None:
            message, tool = said
            found.seen.append(SeenMessage(name, labels_of(integrity, kept), message, tool, load_json(body)))
        elif kind == _ENDORSED:
            found.endorsed.append(Endorsement(*said))
        elif kind == _USE:
            found.uses[name] = _licence(said)
        elif kind == _PLAN:
            found.plan = tuple(said)
        elif kind == _EXTENSION:
            found.extensions.append((name, said["extension"]["nonce"]))
        elif kind == _SUSPICION:
            found.suspects.add(name)
        found.number = number
    return found


def labels_shown(db: sqlite3.Connection, thread: str, digests: Iterable[str]) -> dict[str, Labels]:
    """Return the labels of those messages of *thread* that are on record, by digest."""
    rows = db.execute(
        "SELECT name, integrity, confidentiality FROM trail JOIN json_each(?) ON name = value"
        " WHERE thread = ? AND kind = ?",
        (orjson.dumps(list(digests)).decode(), thread, _MESSAGE),
    )
    return {name: labels_of(integrity, kept) for name, integrity, kept in rows}


def put_seen(db: sqlite3.Connection, thread: str, seen: SeenMessage) -> None:
    """Record a message of *thread*; one that is on record becomes at least as strict."""
    row, document = (thread, _MESSAGE, seen.digest), orjson.dumps([seen.message, seen.tool])
    body = dump_json(seen.value) if seen.tool and not _is_there(db, *row) else None
    _put(db, row, seen.labels, document, body, known=_JOINS)


def put_text(db: sqlite3.Connection, thread: str, entry: str, text: str, labels: Labels) -> None:
    """Record what the user wrote at *entry*, which must not be on record yet."""
    _put(db, (thread, _TEXT, entry), labels, b"null", text.encode())


def put_plan(db: sqlite3.Connection, thread: str, tools: Sequence[str], labels: Labels) -> bool:
    """Pin the plan of *thread*, once: the first that is recorded stands. Return whether this is it."""
    if not _is_there(db, thread, _PLAN, ""):
        _put(db, (thread, _PLAN, ""), labels, orjson.dumps(list(tools)))
        return True
    return False


def put_extension(db: sqlite3.Connection, signed: SignedPlanExtension, labels: Labels) -> bool:
    """Record by which tool a plan is extended, once for each tool. Return whether this is the first."""
    said = signed.extension
    if _is_there(db, said.thread, _EXTENSION, said.tool):
        return False
    document = signed.model_dump_json(exclude={"extension": {"text"}}).encode()
    body = None if said.text is None else orjson.dumps(said.text)
    _put(db, (said.thread, _EXTENSION, said.tool), labels, document, body)
    return True


def put_suspicion(db: sqlite3.Connection, thread: str, message: str) -> None:
    """Record that *message* of *thread* was found to ask for a person, once."""
    _put(db, (thread, _SUSPICION, message), _STRICTEST, b"null", known=_STAYS)


def put_use(tx: Tx, key: CallKey, use: Licence, labels: Labels) -> None:
    """Record what the call of *key* draws on."""
    document = orjson.dumps([use.tool, use.entries, use.targets])
    _put(tx.db, (key.thread, _USE, use_name(key)), labels, document)


def is_spent(tx: Tx, key: CallKey, use: Licence) -> bool:
    """Return whether another call of the thread has used what *use* draws on."""
    rows = tx.db.execute(
        "SELECT document FROM trail WHERE thread = ? AND kind = ? AND name <> ?", (key.thread, _USE, use_name(key))
    )
    return any(use.spends(_licence(orjson.loads(document))) for (document,) in rows)


def endorse(tx: Tx, thread: str, agreed: Iterable[Endorsement], labels: Labels) -> None:
    """Record the values that people agreed to."""
    for one in agreed:
        document = orjson.dumps(list(one))
        if not _is_there(tx.db, thread, _ENDORSED, document.decode()):
            _put(tx.db, (thread, _ENDORSED, document.decode()), labels, document)


def use_name(key: CallKey) -> str:
    """Return by which name the use of the call of *key* stands in its thread's trail."""
    return orjson.dumps(key[1:]).decode()  # a slice is a plain tuple


def _licence(said: Sequence[object]) -> Licence:
    tool, entries, targets = said
    if not (isinstance(tool, str) and isinstance(entries, list) and isinstance(targets, list)):
        raise TypeError("a use of another form")
    return Licence(tool, tuple(entries), tuple((name, tuple(digests)) for name, digests in targets))


def _is_there(db: sqlite3.Connection, thread: str, kind: str, name: str) -> bool:
    return db.execute(f"SELECT 1 FROM trail WHERE {_ROW_IS}", (thread, kind, name)).fetchone() is not None


def _put(
    db: sqlite3.Connection,
    row: tuple[str, str, str],
    labels: Labels,
    document: bytes,
    body: bytes | None = None,
    *,
    known: str = "",
) -> None:
    """Write *row*, which must not be on record unless *known* says what becomes of one that is."""
    number = None if body is None else put(db, body)
    db.execute(f"{_INSERT}{known}", (*row, *ranks(labels), document.decode(), number))
