"""A deployment for each test, with a lockfile made once."""

import asyncio
import shutil
from pathlib import Path

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
