from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guarded_agents.stores import SqliteStore
from tests.support.store_desk import Desk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guard.db"


@pytest.fixture
async def desk(path: Path) -> AsyncIterator[Desk]:
    store = SqliteStore.open(path)
    desk = Desk(store)
    await desk.enter()
    yield desk
    await store.aclose()
