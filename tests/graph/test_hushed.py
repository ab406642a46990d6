"""What stands under the transport logs too: its lines quote servers and calls, and handlers of logs may fail."""

import logging
import sqlite3
import sys
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from tests.support.bank import CONTEXT, answers, asked, calls, model, thread
from tests.support.ledger import make_ledger_bank
from tests.support.noisy_server import BEFORE, SECRET

ACCOUNT = "ARG-SECRET-0815"
ERRORS = {"no error": None, "an error": OSError("disk full"), "a cancellation": CancelledError()}


class Handler(logging.Handler):
    """Notes what is logged, and fails then."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__()
        self.error, self.lines = error, list[tuple[str, str]]()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.name, f"{record.getMessage()} {record.exc_info} {vars(record)}"))
        if self.error is not None:
            raise self.error


@contextmanager
def handled(error: BaseException | None) -> Iterator[Handler]:
    """Have the application handle every log line."""
    root, handler = logging.getLogger(), Handler(error)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


async def topped_up(guard: Any) -> dict[str, str]:
    agent = guard.agent(model(calls(("topup", {"account": ACCOUNT, "amount_cents": 5}))), checkpointer=InMemorySaver())
    return answers((await agent.ainvoke(asked("please"), thread(), context=CONTEXT))["messages"])


def statuses(folder: Path) -> list[str]:
    connection = sqlite3.connect(folder / "guard.db")
    rows = connection.execute("SELECT status FROM claims").fetchall()
    connection.close()
    return [status for (status,) in rows]


@pytest.mark.requirement("telemetry:no-influence")
@pytest.mark.requirement("I5")
@pytest.mark.requirement("I10")
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("mode", BEFORE)
async def test_whatever_a_server_says_first_its_answer_counts_and_no_log_quotes_it(
    tmp_path: Path, mode: str, error: BaseException | None
) -> None:
    bank, effects = make_ledger_bank(tmp_path / "bank"), tmp_path / "effects"
    server = {"command": sys.executable, "args": ["-m", "tests.support.noisy_server", mode, str(effects)]}
    async with bank.open(servers={"bank": server}) as guard:
        with handled(error) as handler:
            [told] = (await topped_up(guard)).values()
    assert told.startswith("did topup")
    assert statuses(bank.folder) == ["executed"]
    assert effects.read_text() == "effect\n"
    quoting = [name for name, line in handler.lines if SECRET in line or ACCOUNT in line]
    assert [name for name in quoting if not name.startswith(("asyncio", "langgraph", "aiosqlite"))] == []


@pytest.mark.requirement("B14")
@pytest.mark.requirement("telemetry:no-influence")
@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
async def test_a_tool_that_drifts_beside_a_log_that_fails_is_quarantined(
    tmp_path: Path, error: BaseException | None
) -> None:
    bank, effects = make_ledger_bank(tmp_path / "bank"), tmp_path / "effects"
    server = {"command": sys.executable, "args": ["-m", "tests.support.noisy_server", "plain", str(effects)]}
    async with bank.open(servers={"bank": server}) as guard:
        effects.with_suffix(".changed").touch()
        with handled(error):
            await guard.observe("bank")
            assert "changed since it was reviewed" in guard.quarantine["bank/topup"]
            await topped_up(guard)
    assert not effects.exists()


@pytest.mark.requirement("B14")
async def test_a_server_whose_list_cannot_be_looked_at_is_lost(tmp_path: Path) -> None:
    class Odd:
        servers = ("bank",)
        is_odd = False

        async def list_tools(self, server: str, *, principal: str) -> tuple[Any, ...]:
            if self.is_odd:
                raise RuntimeError("not one of ours")
            return ()

        async def aclose(self) -> None:
            """Do nothing."""

    bank, odd = make_ledger_bank(tmp_path / "bank"), Odd()
    async with bank.open(transport=odd) as guard:
        odd.is_odd = True
        await guard.observe("bank")
        assert guard.quarantine["bank/topup"] == "its server cannot be reached"


def test_what_the_application_logs_of_its_own_is_left_as_it_is() -> None:
    with handled(None) as handler:
        logging.getLogger("httpx").info("HTTP Request: %s", "of a model")
        logging.getLogger("mcp.client.session").warning("a session of the application's")
    assert [line.split(" {")[0] for name, line in handler.lines if name != "asyncio"] == [
        "HTTP Request: of a model None",
        "a session of the application's None",
    ]
