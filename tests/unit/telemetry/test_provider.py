"""What is asked of the application's provider: an answer, or what stands in its place."""

import asyncio
import logging
from asyncio import CancelledError

import pytest

from guarded_agents._provider import quietly

SECRET = "sk-live-4f1c"


def fail() -> int:
    raise RuntimeError(f"refused {SECRET}")


def test_what_succeeds_is_returned() -> None:
    assert quietly(lambda: divmod(7, 2), None) == (3, 1)


async def test_a_cancellation_of_its_own_making_is_held_up_and_that_of_the_task_is_not() -> None:
    def cancel() -> int:
        raise CancelledError

    async def work() -> int:
        found = quietly(cancel, 5)
        await asyncio.sleep(0)
        return found

    assert await work() == 5
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(CancelledError):
        await task


@pytest.mark.requirement("I10")
def test_of_what_fails_only_the_kind_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert quietly(fail, 5) == 5
    assert [record.getMessage() for record in caplog.records] == ["telemetry was not recorded: RuntimeError"]
    assert all(record.exc_info is None for record in caplog.records)


def test_a_handler_that_fails_too_is_no_matter() -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(SECRET)

    logger, failing = logging.getLogger("guarded_agents"), Failing()
    logger.addHandler(failing)
    try:
        assert quietly(fail, 5) == 5
    finally:
        logger.removeHandler(failing)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_is_not_held_up(stop: type[BaseException]) -> None:
    def end() -> None:
        raise stop

    with pytest.raises(stop):
        quietly(end, None)
