"""Every attack is run twice, synchronously and asynchronously, on a real server process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graph.conftest import bank, bank_template
from tests.support.bank import Bank
from tests.support.siege import Line, Siege

__all__ = ["bank", "bank_template", "line", "siege"]


@pytest.fixture(scope="session", params=["sync", "async"])
def line(
    request: pytest.FixtureRequest, bank_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Line]:
    with Line(request.param, bank_template, tmp_path_factory.mktemp(request.param)) as line:
        yield line


@pytest.fixture
def siege(line: Line, bank: Bank) -> Iterator[Siege]:
    siege = Siege(line, bank)
    yield siege
    siege.close()
