"""Two processes write one log, and are killed at any moment: what was acknowledged is there, and the log holds."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guarded_agents.audit import verify_log
from guarded_agents.stores import SqliteStore

PROCESSES, WRITERS = 2, 4


def round_of(folder: Path, *, chance: random.Random, kills: int = 0, seconds: float = 0.0) -> None:
    """Let the processes write through so many *kills*, or for *seconds*; each comes after a random number of names."""
    words = [sys.executable, "-m", "tests.support.hammer", str(folder / "guard.db"), str(folder / "acknowledged")]
    until_s, done, processes = time.monotonic() + seconds, 0, list[subprocess.Popen[bytes]]()
    try:
        while done < kills or time.monotonic() < until_s:
            while len(processes) < PROCESSES:
                processes.append(subprocess.Popen([*words, str(WRITERS)]))
            wanted = written(folder) + chance.randrange(1, 600)
            while written(folder) < wanted:
                time.sleep(chance.uniform(0.001, 0.02))  # a kill may come at any moment, not just behind a write
            killed = processes.pop(chance.randrange(len(processes)))
            killed.kill()
            killed.wait()
            done += 1
    finally:
        for process in processes:
            process.kill()
            process.wait()


def written(folder: Path) -> int:
    """Return how many names are acknowledged."""
    record = folder / "acknowledged"
    return record.stat().st_size // 33 if record.exists() else 0


async def check(folder: Path) -> int:
    """Check that what was acknowledged is in the log, and that it holds; return how many entries there are."""
    store = SqliteStore.open(folder / "guard.db")
    found = verify_log(store)
    assert found.findings == ()
    fields = [json.loads(stored)["fields"] for _, stored, _ in store.audit_rows()]
    names = [one["name"] for one in fields if "name" in one]
    acknowledged = (folder / "acknowledged").read_text().split()
    assert set(acknowledged) <= set(names)
    assert len(set(names)) == len(names)
    assert found.signed == found.entries  # each was in a durable transaction
    await store.aclose()
    return found.entries


@pytest.mark.requirement("I5")
@pytest.mark.requirement("B10")
@pytest.mark.timeout(120)
async def test_what_two_processes_that_are_killed_have_acknowledged_is_in_the_log(tmp_path: Path) -> None:
    chance = random.Random(6962)
    for _ in range(2):
        round_of(tmp_path, kills=3, chance=chance)
        await check(tmp_path)


@pytest.mark.long
@pytest.mark.requirement("I5")
@pytest.mark.requirement("B10")
@pytest.mark.timeout(4_500)
async def test_what_two_processes_that_are_killed_have_acknowledged_is_in_the_log_each_of_50_times(
    tmp_path: Path,
) -> None:
    chance = random.Random(6962)
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        round_of(folder, seconds=60.0, chance=chance)
        assert await check(folder) > 1_000
