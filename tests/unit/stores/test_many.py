"""What a page of the queue costs does not grow with the queue (DESIGN section 9, row 5)."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from guarded_agents.records import QueueLimits, RequestStatus
from guarded_agents.stores import SqliteStore
from tests.support.store_desk import Desk
from tests.support.stores import TEN, alone, request

MANY = QueueLimits(per_group=10_000, per_principal=10_000, per_tenant=10_000)
FEW_WAIT, MANY_WAIT = 150, 1_500


async def filled(path: Path, count: int) -> Desk:
    desk = Desk(SqliteStore.open(path))
    await desk.enter()
    for number in range(count):
        of = request(alone(f"{number:05}"), question=f"q{number}", decide_by=TEN + timedelta(hours=1 + number % 7))
        await desk.ask(of, limits=MANY)
    return desk


def steps(desk: Desk, read: Callable[[Desk], object]) -> int:
    """Return how many instructions of SQLite's virtual machine *read* takes."""
    count = 0

    def one_more() -> int:
        nonlocal count
        count += 1
        return 0

    desk.store._reader.set_progress_handler(one_more, 1)
    read(desk)
    desk.store._reader.set_progress_handler(None, 1)
    return count


async def test_a_page_takes_no_more_steps_where_ten_times_as_many_wait(tmp_path: Path) -> None:
    few, many = await filled(tmp_path / "few.db", FEW_WAIT), await filled(tmp_path / "many.db", MANY_WAIT)
    after = few.store.requests()[49].id
    reads: dict[str, Callable[[Desk], object]] = {
        "first page": lambda desk: desk.store.requests(),
        "next page": lambda desk: desk.store.requests(after=after),
        "by id": lambda desk: desk.store.request(after),
        "none approved": lambda desk: desk.store.requests(status=RequestStatus.APPROVED),
        "doubts": lambda desk: desk.store.doubts(now=TEN),
    }
    taken = {name: (steps(few, read), steps(many, read)) for name, read in reads.items()}
    assert all(of_few > 0 and of_many <= of_few * 1.1 for of_few, of_many in taken.values()), taken
    await few.store.aclose()
    await many.store.aclose()


async def test_a_list_of_all_takes_steps_in_proportion(tmp_path: Path) -> None:
    few, many = await filled(tmp_path / "few.db", FEW_WAIT), await filled(tmp_path / "many.db", MANY_WAIT)
    of_few, of_many = (steps(desk, lambda one: one.store.requests(limit=10_000)) for desk in (few, many))
    assert 0 < of_many <= 1.1 * (MANY_WAIT / FEW_WAIT) * of_few
    await few.store.aclose()
    await many.store.aclose()
