"""What is decided and recorded is the same whatever telemetry does: it raises, or answers nonsense."""

import logging
import sqlite3
from asyncio import CancelledError
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.context import attach, detach
from opentelemetry.trace import NoOpTracerProvider, Span, set_span_in_context

from guarded_agents.keys import RootKey
from tests.support.bank import calls
from tests.support.hollow import APPLICATIONS, CONTEXTS, METERING, TRACING, Bomb, HollowProvider, Turning
from tests.support.ledger import Ledger, at_desk

pytestmark = pytest.mark.requirement("telemetry:no-influence")

READ = ("balance", {"account": "ACME"})
TOPUP = ("topup", {"account": "ACME", "amount_cents": 5})
OF_THE_RUN = ("trace_id", "span_id", "key")  # a key of the log's own is made with each store
WIRE = ("wire", {"account": "ACME", "amount_cents": 900})


async def ran(folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> tuple[Any, Any]:
    """Return what reached the server and the model, and what was recorded, in a run with every kind of call."""
    nonces = count()
    monkeypatch.setattr("guarded_agents.nodes._votes.token_hex", lambda _: f"{next(nonces):032x}")
    script = calls(READ, TOPUP, WIRE, ("drop_table", {"account": "ACME"}), ("nothing", {}))
    settings = {"tracer_provider": NoOpTracerProvider(), "root_key": folder.parent / "root.key"} | more
    async with at_desk(folder, script, **settings) as desk:
        await desk.approve(await desk.held())
        told = await desk.told()
    connection = sqlite3.connect(desk.bank.folder / "guard.db")
    rows = connection.execute("SELECT body FROM audit").fetchall()
    connection.close()
    recorded = []
    for entry in map(orjson.loads, (body for (body,) in rows)):
        fields = {name: value for name, value in entry["fields"].items() if name not in OF_THE_RUN}
        recorded.append((entry["kind"], entry["at"], fields))
    assert len(recorded) > 8
    sent = [(one.tool, one.arguments) for one in desk.server.sent]
    return (sorted(sent, key=repr), desk.server.effects, told), sorted(recorded, key=repr)  # of a turn in any order


class Same:
    """Runs beside a run without telemetry."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        RootKey.load(folder / "root.key", create=True)
        self.folder, self.monkeypatch = folder, monkeypatch

    async def whatever(self, **more: Any) -> None:
        """Check that a run with *more* does and records the same."""
        without = await ran(self.folder / "without", self.monkeypatch)
        assert await ran(self.folder / "with", self.monkeypatch, **more) == without


@pytest.fixture
def same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Same:
    return Same(tmp_path, monkeypatch)


@pytest.mark.parametrize("way", TRACING.values(), ids=TRACING)
async def test_what_is_decided_and_recorded_is_the_same_whatever_tracing_does(
    same: Same, way: Callable[[], Any]
) -> None:
    await same.whatever(tracer_provider=way())


@pytest.mark.parametrize("way", METERING.values(), ids=METERING)
async def test_what_is_decided_and_recorded_is_the_same_whatever_meters_do(same: Same, way: Callable[[], Any]) -> None:
    await same.whatever(meter_provider=way())


@pytest.mark.parametrize("way", APPLICATIONS.values(), ids=APPLICATIONS)
@pytest.mark.parametrize("tracing", ["spans", "no provider"])
async def test_what_is_decided_and_recorded_is_the_same_within_a_span_of_the_applications(
    same: Same, way: Callable[[], Span], tracing: str
) -> None:
    token = attach(set_span_in_context(way()))
    try:
        await same.whatever(tracer_provider=TRACING[tracing]())
    finally:
        detach(token)


@pytest.mark.parametrize("bad", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize("whose", ["ours", "the application's"])
async def test_the_outcome_of_a_call_is_recorded_though_its_span_fails_while_it_is_away(
    tmp_path: Path, bad: Any, whose: str
) -> None:
    spans = [Turning()]

    def make() -> Span:
        spans.append(Turning())
        return spans[-1]

    def turn() -> None:
        for span in spans:
            span.is_bad, span.bad = True, bad

    token = attach(set_span_in_context(spans[0])) if whose != "ours" else None
    try:
        more: dict[str, Any] = {"tracer_provider": HollowProvider(make)} if whose == "ours" else {}
        async with at_desk(tmp_path, calls(TOPUP), server=Ledger(before=turn), **more) as desk:
            await desk.ask()
            assert await desk.reasons() == ["permitted"]
            assert desk.server.effects == [("topup", 5)]
    finally:
        if token is not None:
            detach(token)
    connection = sqlite3.connect(desk.bank.folder / "guard.db")
    assert connection.execute("SELECT status FROM claims").fetchall() == [("executed",)]
    connection.close()


class Raising(logging.Handler):
    """A handler of logs that fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def emit(self, record: logging.LogRecord) -> None:
        raise self.error


@pytest.mark.parametrize("error", [OSError("disk full"), CancelledError()], ids=["fails", "cancels"])
async def test_a_handler_of_logs_that_fails_changes_nothing(same: Same, error: BaseException) -> None:
    logger, failing = logging.getLogger("guarded_agents"), Raising(error)
    logger.addHandler(failing)
    logger.setLevel(logging.INFO)
    try:
        await same.whatever(tracer_provider=TRACING["spans of which every method fails"]())
    finally:
        logger.removeHandler(failing)
        logger.setLevel(logging.NOTSET)


class Unsure(logging.Logger):
    """A logger that does not say whether it logs."""

    def isEnabledFor(self, level: int) -> Any:  # noqa: N802 - the name is that of logging
        return Bomb()


async def test_a_logger_that_does_not_say_whether_it_logs_changes_nothing(
    same: Same, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guarded_agents.telemetry._logs._log", Unsure("guarded_agents.decisions"))
    await same.whatever()


async def test_a_write_that_is_refused_beside_a_log_that_fails_leaves_the_thread_readable(tmp_path: Path) -> None:
    root, failing = logging.getLogger(), Raising(OSError("disk full"))
    async with at_desk(tmp_path, calls(READ)) as desk:
        await desk.ask()
        root.addHandler(failing)
        try:
            await desk.agent.aupdate_state(desk.config, {"guard_calls": {"__overwrite__": {}}})
            assert "guard_calls" in (await desk.state()).values
        finally:
            root.removeHandler(failing)


@pytest.mark.parametrize("record", [lambda: None, lambda: "x"], ids=["None", "text"])
async def test_a_factory_of_log_records_that_makes_none_changes_nothing(same: Same, record: Callable[[], Any]) -> None:
    before, logger = logging.getLogRecordFactory(), logging.getLogger("guarded_agents.decisions")
    logger.setLevel(logging.INFO)
    logging.setLogRecordFactory(lambda *_, **__: record())
    try:
        await same.whatever()
    finally:
        logging.setLogRecordFactory(before)
        logger.setLevel(logging.NOTSET)


async def test_a_factory_of_log_records_that_knows_our_names_changes_nothing(same: Same) -> None:
    before, logger = logging.getLogRecordFactory(), logging.getLogger("guarded_agents.decisions")

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.trace_id = "the application's"
        return record

    logger.setLevel(logging.INFO)
    logging.setLogRecordFactory(factory)
    try:
        await same.whatever()
    finally:
        logging.setLogRecordFactory(before)
        logger.setLevel(logging.NOTSET)
