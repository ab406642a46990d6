"""What operators see of a guarded graph: spans over every wait, entries that name them, and no influence."""

import json
import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracerProvider,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import TracerProvider as AnyTracerProvider

from guarded_agents import Answer, GuardError, StoreError
from guarded_agents.errors import RequestClosedError
from guarded_agents.keys import RootKey
from guarded_agents.operations import Worker
from guarded_agents.transport import ToolReply
from tests.support.bank import ANA, CONTEXT, POLICY, RAJ, asked, calls
from tests.support.ledger import Desk, Ledger, at_desk
from tests.support.watched import Metered, Watched, id_of, ids_of, links_of, said_by

READ = ("balance", {"account": "ACME"})
TOPUP = ("topup", {"account": "ACME", "amount_cents": 5})
WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
TWO_PEOPLE = POLICY.replace("approvers: finance, quorum: 1", "approvers: finance, quorum: 2")
ELSEWHERE = SpanContext(0xA, 0xB, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "1")]))


def entries(desk: Desk) -> list[dict[str, Any]]:
    """Return what stands in the audit log, once everything is written."""
    connection = sqlite3.connect(desk.bank.folder / "guard.db")
    rows = connection.execute("SELECT body FROM audit ORDER BY sequence").fetchall()
    connection.close()
    return [json.loads(body) for (body,) in rows]


def of_kind(kind: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in found if entry["kind"] == kind]


@contextmanager
def within(context: SpanContext) -> Iterator[None]:
    """Be where the application has a span of its own."""
    token = attach(set_span_in_context(NonRecordingSpan(context)))
    try:
        yield
    finally:
        detach(token)


# -- one call ---------------------------------------------------------------------------------


async def test_a_plain_read_is_one_span_below_its_users_input(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls(READ), tracer_provider=watched.provider) as desk:
        await desk.ask()
    entered, read = watched.spans
    assert (entered.name, read.name) == ("guard screen", "execute_tool bank/balance")
    assert watched.below(entered) == ["execute_tool bank/balance"]
    assert read.kind is SpanKind.CLIENT
    assert read.status.status_code is StatusCode.UNSET
    said = said_by(read)
    assert said.pop("guarded_agents.call.digest") == of_kind("decision", entries(desk))[0]["fields"]["call"]
    assert len(said.pop("guarded_agents.principal")) == 16
    assert len(said.pop("guarded_agents.policy.digest")) == 64
    assert said == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "bank/balance",
        "gen_ai.tool.call.id": "call-0",
        "gen_ai.conversation.id": "t1",
        "mcp.method.name": "tools/call",
        "guarded_agents.decision": "permit",
        "guarded_agents.rule": "permit:bank/balance",
        "guarded_agents.outcome": "executed",
        "guarded_agents.reason": "permitted",
    }


async def test_an_effect_has_a_span_for_each_stage_and_names_the_audit_log(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls(TOPUP), tracer_provider=watched.provider) as desk:
        await desk.ask()
    span = watched.one("execute_tool bank/topup")
    assert watched.below(span) == ["guard decide", "guard screen", "guard execute"]
    found = entries(desk)
    here = found[said_by(span)["guarded_agents.audit.sequence"]]
    assert here["log"] == said_by(span)["guarded_agents.audit.log"]
    assert (here["kind"], here["fields"]["status"]) == ("outcome", "executed")
    assert {here["fields"]["span_id"]} == ids_of([span])


async def test_a_deny_is_no_error_and_made_up_names_are_not_shown(tmp_path: Path) -> None:
    watched = Watched()
    script = calls(("drop_table", {"account": "ACME"}), ("Ana Example 555", {}))
    async with at_desk(tmp_path, script, tracer_provider=watched.provider) as desk:
        await desk.ask()
    denied, unknown = watched.one("execute_tool bank/drop_table"), watched.one("execute_tool unknown")
    for span in (denied, unknown):
        assert span.status.status_code is StatusCode.UNSET
        assert (span.kind, span.events) == (SpanKind.INTERNAL, ())
        assert said_by(span)["guarded_agents.decision"] == "deny"
        assert "mcp.method.name" not in said_by(span)
        assert "error.type" not in said_by(span)
    assert said_by(denied)["guarded_agents.reason"] == "missing_scope"
    assert "Ana" not in "".join(span.to_json() for span in watched.spans)


async def test_an_error_of_the_tool_is_named_and_is_no_failure_of_the_guard(tmp_path: Path) -> None:
    watched, server = Watched(), Ledger(reply=lambda _: ToolReply("no such account", None, is_error=True))
    async with at_desk(tmp_path, calls(READ), server=server, tracer_provider=watched.provider) as desk:
        await desk.ask()
    span = watched.one("execute_tool bank/balance")
    assert said_by(span)["error.type"] == "tool_error"
    assert span.status.status_code is StatusCode.UNSET


async def test_a_guard_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched()

    async def fails(*_: Any, **__: Any) -> Any:
        raise StoreError("store", expected="a disk", got="none", action="wait")

    async with at_desk(tmp_path, calls(TOPUP), tracer_provider=watched.provider) as desk:
        monkeypatch.setattr(desk.guard.store, "admit", fails)
        await desk.ask()
    span = watched.one("execute_tool bank/topup")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert said_by(span)["error.type"] == "store_unavailable"
    assert desk.server.sent == []


async def test_a_span_that_an_instrumentor_made_for_the_same_call_is_told_instead_of_a_second_one(
    tmp_path: Path,
) -> None:
    watched = Watched()
    tracer = watched.provider.get_tracer("an instrumentor")
    about = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "call-0"}
    async with at_desk(tmp_path, calls(TOPUP, READ), tracer_provider=watched.provider) as desk:
        with tracer.start_as_current_span("execute_tool topup", attributes=about):
            await desk.ask()
    outer, other = watched.one("execute_tool topup"), watched.one("execute_tool bank/balance")
    assert watched.named("execute_tool bank/topup") == []
    assert said_by(outer)["guarded_agents.outcome"] == "executed"
    assert sorted(watched.below(outer)) == [
        "execute_tool bank/balance",
        "guard decide",
        "guard execute",
        "guard screen",
    ]
    assert said_by(other)["gen_ai.tool.call.id"] == "call-1"  # another call: a span of its own
    assert {entry["fields"]["span_id"] for entry in of_kind("intent", entries(desk))} == ids_of([outer])


# -- over the wait ----------------------------------------------------------------------------


@pytest.mark.requirement("telemetry:one-picture")
async def test_a_call_that_waited_links_to_where_it_was_held_and_to_each_vote_of_other_processes(
    tmp_path: Path,
) -> None:
    saver, asking, ana, raj, going_on = InMemorySaver(), Watched(), Watched(), Watched(), Watched()
    async with at_desk(tmp_path, calls(WIRE), policy=TWO_PEOPLE, saver=saver, tracer_provider=asking.provider) as desk:
        request = await desk.held()
    bank = desk.bank
    held = asking.one("guard approval")
    assert asking.below(asking.one("guard screen")) == ["guard approval"]
    assert asking.below(held) == ["guard decide"]
    assert (held.status.status_code, held.events) == (StatusCode.UNSET, ())
    assert said_by(held)["guarded_agents.request"] == request
    for watched, approver in ((ana, ANA), (raj, RAJ)):
        async with at_desk(tmp_path, bank=bank, tracer_provider=watched.provider) as other:
            await other.guard.vote(other.signed(request, approver=approver))
    votes = [watched.one("guard vote") for watched in (ana, raj)]
    assert [said_by(vote)["guarded_agents.status"] for vote in votes] == ["pending", "approved"]
    assert len({said_by(vote)["guarded_agents.approver"] for vote in votes}) == 2
    assert links_of(votes[0]) == [("held", id_of(held))]
    async with at_desk(tmp_path, calls(), bank=bank, saver=saver, tracer_provider=going_on.provider) as last:
        bank.clock.advance(seconds=60)
        await Worker(last.guard, last.agent, lease_s=60.0).run_once()
    span, woken = going_on.one("execute_tool bank/wire"), going_on.one("guard wake")
    assert last.server.effects == [("wire", 900)]
    assert going_on.below(woken) == ["execute_tool bank/wire"]
    assert sorted(links_of(span)) == sorted([("held", id_of(held)), *(("vote", id_of(vote)) for vote in votes)])
    assert said_by(span)["guarded_agents.approval.wait_s"] == 0.0  # settled before the clock went on
    spans = {*ids_of(asking.spans), *ids_of(ana.spans), *ids_of(raj.spans), *ids_of(going_on.spans)}
    traced = [entry["fields"].get("span_id") for entry in entries(last)]
    assert set(traced) - {None} <= spans
    found = entries(last)
    assert {entry["fields"]["span_id"] for entry in of_kind("vote", found)} == ids_of(votes)
    assert {entry["fields"]["span_id"] for entry in of_kind("intent", found)} == ids_of([span])
    assert of_kind("approval", found)[0]["fields"]["span_id"] in ids_of([held])


@pytest.mark.requirement("telemetry:one-picture")
async def test_what_the_store_records_by_itself_names_the_span_in_which_it_was_asked(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), tracer_provider=Watched().provider) as desk:
        await desk.held()
        with within(ELSEWHERE):
            await desk.agent.ainvoke(asked("no, leave it"), desk.config, context=CONTEXT)
    approvals = [entry["fields"] for entry in of_kind("approval", entries(desk))]
    [withdrawn] = [fields for fields in approvals if fields["status"] == "withdrawn"]
    assert withdrawn["span_id"] == f"{0xB:016x}"


@pytest.mark.requirement("telemetry:one-picture")
async def test_an_edited_call_links_back_over_the_edit(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls(WIRE), tracer_provider=watched.provider) as desk:
        request = await desk.held()
        edit = {"account": "ACME", "amount_cents": 800}
        edited = await desk.guard.vote(desk.signed(request, Answer.EDIT, arguments=edit))
        await desk.approve(edited.request.id, approver=RAJ)
    held, (first, second) = watched.one("guard approval"), watched.named("guard vote")
    span = watched.one("execute_tool bank/wire")
    assert desk.server.effects == [("wire", 800)]
    assert sorted(set(links_of(span))) == sorted(
        {("held", id_of(held)), ("held", id_of(first)), ("vote", id_of(first)), ("vote", id_of(second))}
    )


async def test_a_rejected_call_links_back_and_is_no_error(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls(WIRE), tracer_provider=watched.provider) as desk:
        await desk.approve(await desk.held(), Answer.REJECT)
    span = watched.one("execute_tool bank/wire")
    assert [role for role, _ in links_of(span)] == ["held", "vote"]
    assert span.status.status_code is StatusCode.UNSET
    assert said_by(span)["guarded_agents.reason"] == "rejected"


async def test_a_vote_that_does_not_count_is_no_error_and_says_nothing_of_its_author(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls(WIRE), tracer_provider=watched.provider) as desk:
        signed = desk.signed(await desk.held())
        forged = signed.model_copy(update={"signature": "AAAA"})
        with pytest.raises(GuardError):
            await desk.guard.vote(forged)
    span = watched.one("guard vote")
    assert (span.status.status_code, span.events) == (StatusCode.UNSET, ())
    assert said_by(span)["error.type"]
    assert ANA not in span.to_json()


async def test_what_stands_in_the_store_as_a_trace_is_never_more_than_a_link(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls(WIRE), tracer_provider=watched.provider) as desk:
        request = await desk.held()
        connection = sqlite3.connect(desk.bank.folder / "guard.db")
        connection.execute("UPDATE traces SET parent = 'rubbish', state = CAST(x'ff' AS TEXT)")
        connection.execute("INSERT INTO traces VALUES (?, 'eve', ?, '')", (request, f"00-{'0' * 32}-{'b' * 16}-01"))
        connection.commit()
        connection.close()
        await desk.approve(request)
    span = watched.one("execute_tool bank/wire")
    assert links_of(span) == [("vote", id_of(watched.one("guard vote")))]
    assert desk.server.effects == [("wire", 900)]


# -- to servers -------------------------------------------------------------------------------


async def test_a_server_is_told_of_the_span_and_never_of_baggage(tmp_path: Path) -> None:
    from opentelemetry.baggage import set_baggage

    watched = Watched()
    async with at_desk(tmp_path, calls(READ, TOPUP), tracer_provider=watched.provider) as desk:
        token = attach(set_baggage("user", "ana", set_span_in_context(NonRecordingSpan(ELSEWHERE))))
        try:
            await desk.ask()
        finally:
            detach(token)
    told = {sent.tool: sent.meta for sent in desk.server.sent}
    for tool in ("balance", "topup"):
        span = watched.one(f"execute_tool bank/{tool}")
        assert span.parent is not None
        assert span.parent.span_id == ELSEWHERE.span_id
        assert told[tool]["traceparent"] == f"00-{0xA:032x}-{id_of(span):016x}-01"
        assert told[tool]["tracestate"] == "v=1"
        assert "baggage" not in told[tool]


@pytest.mark.parametrize("provider", [None, NoOpTracerProvider()], ids=["no provider", "a provider that makes none"])
async def test_without_spans_of_the_guards_own_the_applications_is_passed_on(tmp_path: Path, provider: Any) -> None:
    async with at_desk(tmp_path, calls(WIRE), tracer_provider=provider) as desk:
        with within(ELSEWHERE):
            request = await desk.held()
        assert desk.guard.store.traces(request) == (("", (f"00-{0xA:032x}-{0xB:016x}-01", "v=1")),)
        with within(ELSEWHERE):
            await desk.approve(request)
    assert desk.server.sent[0].meta["traceparent"] == f"00-{0xA:032x}-{0xB:016x}-01"
    [intent] = of_kind("intent", entries(desk))
    assert (intent["fields"]["trace_id"], intent["fields"]["span_id"]) == (f"{0xA:032x}", f"{0xB:016x}")


# -- contents ---------------------------------------------------------------------------------


@pytest.mark.requirement("I10")
async def test_arguments_and_results_are_shown_only_where_that_is_switched_on_and_then_redacted(tmp_path: Path) -> None:
    secret = "sk-ant-api03-" + "A1b2C3d4E5f6" * 8
    watched, server = Watched(), Ledger(reply=lambda _: ToolReply(f"key {secret}", None, is_error=False))
    shown: dict[str, Any] = {"tracer_provider": watched.provider, "unsafe_trace_contents": True}
    async with at_desk(tmp_path, calls(("balance", {"account": secret * 200})), server=server, **shown) as desk:
        await desk.ask()
    said = said_by(watched.one("execute_tool bank/balance"))
    assert said["gen_ai.tool.call.arguments"].startswith('{"account":"')
    assert "key [[" in said["gen_ai.tool.call.result"]
    assert secret not in "".join(span.to_json() for span in watched.spans)
    assert max(map(len, (str(value) for value in said.values()))) <= 8_192


# -- no influence -----------------------------------------------------------------------------


class Raising(SpanProcessor):
    """A processor of the application's that fails."""

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        raise RuntimeError("no exporter")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("no exporter")


class RaisingAtTheEnd(Raising):
    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        """Do nothing."""


class Hollow(Span):
    """A span of another maker's than the SDK, of which every method fails but those in *works*."""

    def __init__(self, works: Collection[str] = ()) -> None:
        self.works = works

    def _do(self, name: str, found: Any = None) -> Any:
        if name not in self.works:
            raise RuntimeError(name)
        return found

    def end(self, end_time: int | None = None) -> None:
        self._do("end")

    def get_span_context(self) -> SpanContext:
        return cast("SpanContext", self._do("get_span_context", ELSEWHERE))

    def set_attributes(self, attributes: Any) -> None:
        self._do("set_attributes")

    def set_attribute(self, key: str, value: Any) -> None:
        self._do("set_attribute")

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._do("add_event")

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        self._do("add_link")

    def update_name(self, name: str) -> None:
        self._do("update_name")

    def is_recording(self) -> bool:
        return bool(self._do("is_recording", found=True))

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._do("set_status")

    def record_exception(self, exception: BaseException, *_: Any, **__: Any) -> None:
        self._do("record_exception")


class HollowProvider(AnyTracerProvider, Tracer):
    """Makes hollow spans."""

    def __init__(self, *works: str) -> None:
        self.works = works

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:
        return self

    def start_span(self, *_: Any, **__: Any) -> Span:
        return Hollow(self.works)

    def start_as_current_span(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("start_as_current_span")


def raising(processor: SpanProcessor) -> TracerProvider:
    provider = TracerProvider()
    provider.add_span_processor(processor)
    return provider


WAYS: dict[str, Callable[[], Any]] = {
    "spans": lambda: Watched().provider,
    "no provider": lambda: None,
    "no spans": NoOpTracerProvider,
    "sampling off": lambda: Watched(sampler=ALWAYS_OFF).provider,
    "a processor that fails at the start": lambda: raising(Raising()),
    "a processor that fails at the end": lambda: raising(RaisingAtTheEnd()),
    "spans of which every method fails": HollowProvider,
    "spans of which all but the context fails": lambda: HollowProvider("get_span_context"),
    "spans that only say that they are recorded": lambda: HollowProvider("is_recording"),
    "spans that cannot be told anything": lambda: HollowProvider("get_span_context", "is_recording"),
}


def metering(monkeypatch: pytest.MonkeyPatch) -> MeterProvider:
    """Return a meter provider whose instruments raise whenever they are told something."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no reader")

    for instrument in (Counter, Histogram):
        for method in {"add", "record"} & vars(instrument).keys():
            monkeypatch.setattr(instrument, method, fail)
    return MeterProvider()


async def ran(folder: Path, way: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, **more: Any) -> tuple[Any, Any]:
    """Return what reached the server and what was recorded, in a run with every kind of call."""
    nonces = count()
    monkeypatch.setattr("guarded_agents.nodes._votes.token_hex", lambda _: f"{next(nonces):032x}")
    script = calls(READ, TOPUP, WIRE, ("drop_table", {"account": "ACME"}), ("nothing", {}))
    async with at_desk(folder, script, tracer_provider=way(), root_key=folder.parent / "root.key", **more) as desk:
        await desk.approve(await desk.held())
        told = await desk.told()
    recorded = []
    for entry in entries(desk):
        fields = {name: value for name, value in entry["fields"].items() if name not in ("trace_id", "span_id")}
        recorded.append((entry["kind"], entry["at"], fields))
    return (desk.server.effects, told), recorded


@pytest.mark.requirement("telemetry:no-influence")
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_what_is_decided_and_recorded_is_the_same_whatever_tracing_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[], Any]
) -> None:
    RootKey.load(tmp_path / "root.key", create=True)
    without, recorded = await ran(tmp_path / "without", NoOpTracerProvider, monkeypatch)
    found, entered = await ran(tmp_path / "with", way, monkeypatch)
    assert found == without
    assert sorted(entered, key=repr) == sorted(recorded, key=repr)  # calls of one turn end in any order
    assert len(recorded) > 8


@pytest.mark.requirement("telemetry:no-influence")
async def test_instruments_that_fail_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    RootKey.load(tmp_path / "root.key", create=True)
    without, recorded = await ran(tmp_path / "without", NoOpTracerProvider, monkeypatch)
    with monkeypatch.context() as patched:
        failing = metering(patched)
        found, entered = await ran(tmp_path / "with", NoOpTracerProvider, monkeypatch, meter_provider=failing)
    assert found == without
    assert sorted(entered, key=repr) == sorted(recorded, key=repr)


@pytest.mark.requirement("telemetry:no-influence")
async def test_a_span_of_the_applications_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RootKey.load(tmp_path / "root.key", create=True)
    without, recorded = await ran(tmp_path / "without", NoOpTracerProvider, monkeypatch)
    for works in ((), ("is_recording",)):
        token = attach(set_span_in_context(Hollow(works)))
        try:
            found, entered = await ran(tmp_path / "-".join(("with", *works)), lambda: Watched().provider, monkeypatch)
        finally:
            detach(token)
        assert found == without
        assert sorted(entered, key=repr) == sorted(recorded, key=repr)


@pytest.mark.requirement("telemetry:no-influence")
async def test_a_handler_of_logs_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk full")

    RootKey.load(tmp_path / "root.key", create=True)
    without, recorded = await ran(tmp_path / "without", NoOpTracerProvider, monkeypatch)
    logger, failing = logging.getLogger("guarded_agents"), Failing()
    logger.addHandler(failing)
    logger.setLevel(logging.INFO)
    try:
        found, entered = await ran(tmp_path / "with", HollowProvider, monkeypatch)
    finally:
        logger.removeHandler(failing)
        logger.setLevel(logging.NOTSET)
    assert found == without
    assert sorted(entered, key=repr) == sorted(recorded, key=repr)


@pytest.mark.requirement("telemetry:no-influence")
async def test_a_factory_of_log_records_that_knows_our_names_changes_nothing(tmp_path: Path) -> None:
    before = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = before(*args, **kwargs)
        record.trace_id = "the application's"
        return record

    logging.setLogRecordFactory(factory)
    logging.getLogger("guarded_agents.decisions").setLevel(logging.INFO)
    try:
        async with at_desk(tmp_path, calls(TOPUP)) as desk:
            await desk.ask()
            assert await desk.reasons() == ["permitted"]
    finally:
        logging.setLogRecordFactory(before)
        logging.getLogger("guarded_agents.decisions").setLevel(logging.NOTSET)


# -- metrics and logs -------------------------------------------------------------------------


async def test_decisions_approvals_and_waits_are_counted(tmp_path: Path) -> None:
    metered = Metered()
    script = calls(READ, TOPUP, WIRE, ("made up", {}))
    async with at_desk(tmp_path, script, meter_provider=metered.provider) as desk:
        request = await desk.held()
        assert metered.counts("guarded_agents.approvals.pending") == {(): 1}
        desk.bank.clock.advance(seconds=90)
        assert metered.counts("guarded_agents.approvals.pending.age") == {(): 90.0}
        await desk.approve(request)
        assert metered.counts("guarded_agents.approvals.pending.age") == {}
        decided = metered.counts(
            "guarded_agents.decisions", "guarded_agents.stage", "guarded_agents.reason", "gen_ai.tool.name"
        )
        assert decided == {
            ("execute", "permitted", "bank/balance"): 1,
            ("execute", "permitted", "bank/topup"): 1,
            ("execute", "permitted", "bank/wire"): 1,
            ("approval", "permitted", "bank/wire"): 1,
            ("refuse", "unknown_tool", "unknown"): 1,
        }
        assert metered.counts("guarded_agents.approvals", "guarded_agents.status", "guarded_agents.group") == {
            ("pending", "finance"): 1,
            ("approved", "finance"): 1,
        }
        points = metered.points()
        [wait] = points["guarded_agents.approval.wait"]
        assert (wait.sum, wait.count) == (90.0, 1)
        assert points["guarded_agents.audit.append.duration"][0].count == 2
        assert points["guarded_agents.screening.duration"][0].count == 3
        assert metered.counts("guarded_agents.approvals.pending") == {(): 0}
        assert metered.counts("guarded_agents.calls.in_doubt") == {(): 0}
        [size] = metered.counts("guarded_agents.audit.entries").values()
        assert size == desk.guard.store.audit_head().size
    assert "guarded_agents.approvals.pending" not in metered.points()  # a closed store has no number


async def test_an_edited_request_and_the_one_in_its_place_are_counted_once_each(tmp_path: Path) -> None:
    metered = Metered()
    async with at_desk(tmp_path, calls(WIRE), meter_provider=metered.provider) as desk:
        edit = desk.signed(await desk.held(), Answer.EDIT, arguments={"account": "ACME", "amount_cents": 901})
        edited = await desk.guard.vote(edit)
        approval = desk.signed(edited.request.id, approver=RAJ)
        await desk.guard.vote(approval)
        for again in (edit, approval):
            with pytest.raises(RequestClosedError):
                await desk.guard.vote(again)
        counts = metered.counts("guarded_agents.approvals", "guarded_agents.status")
    assert counts == {("pending",): 2, ("superseded",): 1, ("approved",): 1}


async def test_what_time_closes_is_counted(tmp_path: Path) -> None:
    metered = Metered()
    async with at_desk(tmp_path, calls(WIRE), meter_provider=metered.provider) as desk:
        await desk.held()
        desk.bank.clock.advance(seconds=18_000)
        await desk.guard.sweep()
        await desk.wake()
    counts = metered.counts("guarded_agents.approvals", "guarded_agents.status")
    assert counts == {("pending",): 1, ("expired",): 1}


async def test_a_decision_is_one_line_of_the_log_without_a_value(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "guarded_agents.decisions")
    watched = Watched()
    script = calls(TOPUP, WIRE, ("Ana Example 555", {}))
    async with at_desk(tmp_path, script, tracer_provider=watched.provider) as desk:
        await desk.held()
    lines = {record.getMessage() for record in caplog.records if record.name == "guarded_agents.decisions"}
    said = {line.partition(", call")[0] for line in lines}
    assert said == {
        "permit bank/topup: rule permit:bank/topup, reason permitted, executed",
        "permit bank/wire: rule permit:bank/wire, reason permitted, held",
        "deny unknown: rule guard:unknown_tool, reason unknown_tool, closed",
    }
    [record] = [record for record in caplog.records if "topup" in record.getMessage()]
    span = watched.one("execute_tool bank/topup")
    assert record.__dict__["span_id"] == f"{id_of(span):016x}"
    assert record.__dict__["trace_id"] in record.getMessage()
    for secret in ("ACME", "Ana", "teller"):
        assert secret not in json.dumps([vars(record) for record in caplog.records], default=str)


async def test_nothing_is_said_of_an_application_span_that_is_somebody_elses(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls(READ), tracer_provider=watched.provider) as desk:
        with watched.provider.get_tracer("app").start_as_current_span("run"):
            await desk.agent.ainvoke(asked(), desk.config, context=CONTEXT)
    assert said_by(watched.one("run")) == {}
    assert watched.below(watched.one("run")) == ["execute_tool bank/balance"]
