"""Every attack is run twice, synchronously and asynchronously, on a real server process."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from guarded_agents.testing import FixedClock
from tests.support.bank import NOON, Bank, make_bank
from tests.support.siege import Line, Siege


@pytest.fixture(scope="session")
def bank_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    asyncio.run(make_bank(folder))
    return folder


@pytest.fixture(scope="session", params=["sync", "async"])
def line(
    request: pytest.FixtureRequest, bank_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    with Line(request.param, bank_template, tmp_path_factory.mktemp(request.param)) as line:
        yield line


@pytest.fixture
def bank(bank_template: Path, tmp_path: Path) -> Bank:
    folder = tmp_path / "bank"
    shutil.copytree(bank_template, folder)
    (folder / "bank.db").unlink(missing_ok=True)
    return Bank(folder, FixedClock(NOON))


@pytest.fixture
def siege(line: Line, bank: Bank) -> Iterator[Siege]:
    siege = Siege(line, bank)
    yield siege
    siege.close()
