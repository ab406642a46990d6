"""Processes that are cheap to start and to kill."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest

from guarded_agents.audit import verify
from guarded_agents.stores import SqliteStore
from tests.graph.conftest import bank, bank_template
from tests.support.bank import Bank

__all__ = ["App", "app", "bank", "bank_template", "warm"]

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "tests" / "support" / "warm_client.py"
DIED, KILLED, INTERRUPTED, LAPSED_S = 17, -9, -2, 120  # a lease is 90 s
Process = subprocess.Popen[str]


@dataclass(frozen=True)
class App:
    """A deployment whose every process is a new one; the clock of each stands at ``at_s`` seconds past noon."""

    bank: Bank
    socket: str

    def settings(self, **run: Any) -> dict[str, Any]:
        """Return what `tests.crash.process` is told."""
        folder = self.bank.folder
        files = {"folder": str(folder), "deaths": str(folder / "deaths"), "slow": str(folder / "slow")}
        return files | {"socket": self.socket, "client": str(CLIENT)} | run

    def start(self, script: str, *do: str, **run: Any) -> Process:
        run = self.settings(script=script, do=do, **run)
        command = [sys.executable, "-I", "-S", str(CLIENT), self.socket, "tests.crash.process", json.dumps(run)]
        return subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def end(self, process: Process, code: int = 0) -> dict[str, Any]:
        """Wait until *process* and its servers have ended; return what it reported."""
        told, said = process.communicate(timeout=50)
        assert process.returncode == code, said
        return orjson.loads(told.splitlines()[-1]) if code == 0 else {}

    def run(self, script: str, *do: str, ends: int = 0, **run: Any) -> dict[str, Any]:
        return self.end(self.start(script, *do, **run), ends)

    def deaths(self, number: int) -> None:
        """Let what BANK_DEATH names happen *number* times."""
        (self.bank.folder / "deaths").write_text("x" * number)

    def audit(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the kind and the fields of every entry; the log has to verify."""
        store = SqliteStore.open(self.bank.folder / "guard.db")
        try:
            rows = list(store.audit_rows())
        finally:
            store._shut()
        assert verify(rows).verified
        entries = [orjson.loads(stored) for _, stored, _ in rows]
        return [(entry["kind"], entry["fields"]) for entry in entries]

    def outcomes(self, tool: str) -> list[str]:
        """Return the outcomes that the log holds of calls of *tool*, oldest first."""
        log = self.audit()
        digests = {fields["call"] for kind, fields in log if fields.get("tool") == f"bank/{tool}"}
        return [fields["status"] for kind, fields in log if kind == "outcome" and fields["call"] in digests]

    def idempotency_keys(self) -> list[str]:
        """Return the key that each effect in the bank's database came with."""
        import sqlite3

        connection = sqlite3.connect(self.bank.database)
        rows = connection.execute("SELECT idempotency_key FROM effects ORDER BY id").fetchall()
        connection.close()
        return [key for (key,) in rows]


@pytest.fixture(scope="session")
def warm() -> Iterator[str]:
    """Yield the socket of a process that has imported everything."""
    pipe = subprocess.PIPE
    with TemporaryDirectory(prefix="warm") as folder:  # the path of a socket has to be short
        path = f"{folder}/s"
        command = [sys.executable, "-m", "tests.support.warm", path]
        with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "warm\n"
            yield path
            process.communicate()


@pytest.fixture
def app(bank: Bank, warm: str) -> App:
    return App(bank, warm)
