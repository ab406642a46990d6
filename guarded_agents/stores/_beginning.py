"""How a transaction begins: whether it waits for other processes, and when what it commits is on disk."""

import sqlite3


class Beginning:
    """Begins the transactions of one connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Begin on *db*, which waits for other processes as long as it is set to, and only where that is asked for."""
        self._db = db
        (self.busy_timeout_ms,) = db.execute("PRAGMA busy_timeout").fetchone()
        db.execute("PRAGMA busy_timeout = 0")
        self._is_lax = False  # the connection does not synchronise what it commits

    def synchronise(self, *, is_light: bool) -> None:
        """Let the next commit be on disk when it returns, or, where *is_light*, be written and synchronised later."""
        if is_light is self._is_lax:
            return
        self._is_lax = True  # also where the statement fails: then it is tried again before the next full commit
        # NORMAL in WAL mode: the commit is written, and synchronised with the next full one
        self._db.execute(f"PRAGMA synchronous = {'NORMAL' if is_light else 'FULL'}")
        self._is_lax = is_light

    def begins(self, *, is_patient: bool) -> bool:
        """Begin a transaction; return False where another process is writing, instead of waiting for it."""
        try:
            if is_patient:
                self._db.execute(f"PRAGMA busy_timeout = {self.busy_timeout_ms}")
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if is_patient or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return False
        finally:
            if is_patient:
                self._db.execute("PRAGMA busy_timeout = 0")
        return True
