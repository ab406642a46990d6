"""A deployment for each test, with a lockfile made once."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guarded_agents.testing import FixedClock
from tests.support.bank import NOON, Bank, make_bank


@pytest.fixture(scope="session")
def bank_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    asyncio.run(make_bank(folder))
    return folder


@pytest.fixture
def bank(bank_template: Path, tmp_path: Path) -> Bank:
    folder = tmp_path / "bank"
    shutil.copytree(bank_template, folder)
    (folder / "bank.db").unlink(missing_ok=True)
    return Bank(folder, FixedClock(NOON))


@pytest.fixture(name="write")
def writer(tmp_path: Path) -> Iterator[Callable[..., list[Any]]]:
    """Return what runs one statement on the desk's store, past the guard."""
    opened: list[sqlite3.Connection] = []

    def write(statement: str, *values: Any) -> list[Any]:
        if not opened:
            opened.append(sqlite3.connect(tmp_path / "desk" / "guard.db", isolation_level=None))
        return opened[0].execute(statement, values).fetchall()

    yield write
    for db in opened:
        db.close()
