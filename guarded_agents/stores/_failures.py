"""What SQLite reports, said as a StoreError: no ``sqlite3.Error`` leaves this room."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError

from guarded_agents.errors import StoreError

BUSY_TIMEOUT_S: Final = 5

# Primary result code (https://www.sqlite.org/rescode.html) to expected, got, what to do.
_WORDS: Final = {
    sqlite3.SQLITE_BUSY: (
        f"the write lock within {BUSY_TIMEOUT_S} s",
        "a database that another process keeps locked",
        "end that process, or try again",
    ),
    sqlite3.SQLITE_FULL: ("room for the transaction", "a full disk", "free space and try again"),
    sqlite3.SQLITE_READONLY: ("a file that can be written", "a read-only one", "give this process write access"),
    sqlite3.SQLITE_CORRUPT: ("a sound database", "a corrupt one", "restore it from a backup"),
    sqlite3.SQLITE_NOTADB: ("an SQLite database", "something else", "name another file or restore it from a backup"),
    sqlite3.SQLITE_CANTOPEN: (
        "a file that can be opened",
        "one that cannot",
        "make its folder and give this process access",
    ),
    sqlite3.SQLITE_IOERR: ("a disk that answers", "an input/output error", "look at the disk"),
}
_WORDS[sqlite3.SQLITE_LOCKED] = _WORDS[sqlite3.SQLITE_BUSY]
_WORDS[sqlite3.SQLITE_PERM] = _WORDS[sqlite3.SQLITE_CANTOPEN]


def closed(path: str) -> StoreError:
    """Return the error of a store that was used after `aclose`."""
    return StoreError(f"store {path}", expected="an open store", got="a closed one", action="open it again")


def forked(path: str) -> StoreError:
    """Return the error of a store that was opened before a fork: its connections are the parent's."""
    return StoreError(
        f"store {path}",
        expected="a store that this process opened",
        got="one that its parent opened",
        action="open it after the fork",
    )


def unreadable(path: str, error: Exception) -> StoreError:
    """Return the error of what no row of ours can hold; it names the kind of *error* and quotes nothing."""
    return StoreError(
        f"store {path}",
        expected="values that it can hold",
        got=type(error).__name__,
        action="correct the caller, or restore the file from a backup",
    )


def store_error(path: str, error: sqlite3.Error) -> StoreError:
    """Return *error* in our words. Values never stand in SQLite's messages, so only its code is read."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return closed(path) if "closed" in str(error) else unreadable(path, error)
    name = getattr(error, "sqlite_errorname", "")
    expected, got, action = _WORDS.get(code & 0xFF, ("a statement that runs", "an error", "report this as a bug"))
    return StoreError(f"store {path}", expected=expected, got=f"{got} ({name})", action=action)


def as_store_error(path: str, error: Exception) -> StoreError:
    """Return a new StoreError that says what *error* said."""
    if isinstance(error, sqlite3.Error):
        told = store_error(path, error)
    elif isinstance(error, StoreError):
        told = StoreError(error.subject, expected=error.expected, got=error.got, action=error.action)
    else:
        told = unreadable(path, error)
    told.__cause__ = None if isinstance(error, ValidationError) else error  # which quotes what it was given
    return told


@contextmanager
def told(path: str) -> Iterator[None]:
    """Raise StoreError for whatever SQLite raises inside."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(path, error) from error
