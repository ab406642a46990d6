"""What operators see of a guarded graph: spans over every wait, entries that name them, and no influence."""

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry.context import attach, detach
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracerProvider,
    SpanContext,
    SpanKind,
    StatusCode,
    set_span_in_context,
)

from guarded_agents import Answer, GuardError, StoreError
from guarded_agents.errors import RequestClosedError
from guarded_agents.operations import Worker
from guarded_agents.transport import ToolReply
from tests.support.bank import ANA, CONTEXT, POLICY, RAJ, asked, calls
from tests.support.hollow import ELSEWHERE
from tests.support.ledger import Desk, Ledger, at_desk
from tests.support.watched import Metered, Watched, id_of, ids_of, links_of, said_by

READ = ("balance", {"account": "ACME"})
TOPUP = ("topup", {"account": "ACME", "amount_cents": 5})
WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
TWO_PEOPLE = POLICY.replace("approvers: finance, quorum: 1", "approvers: finance, quorum: 2")


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


_THEIRS = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "X"}
_OF_OTHERS = {
    "another tool's, by its attribute": ("execute_tool topup", {"gen_ai.tool.name": "research_subagent"}),
    "another tool's, by its name": ("execute_tool research_subagent", {}),
    "a call's that was told of already": ("execute_tool topup", {"guarded_agents.call.digest": "0" * 64}),
    "another operation's": ("execute_tool topup", {"gen_ai.operation.name": "chat"}),
}


@pytest.mark.parametrize(("name", "about"), _OF_OTHERS.values(), ids=_OF_OTHERS)
async def test_a_span_that_is_not_this_calls_is_not_told_of_it_though_a_model_gave_it_the_same_id(
    tmp_path: Path, name: str, about: dict[str, str]
) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls((*TOPUP, "X")), tracer_provider=watched.provider) as desk:
        with watched.provider.get_tracer("x").start_as_current_span(name, attributes=_THEIRS | about):
            await desk.ask()
    assert "guarded_agents.outcome" not in said_by(watched.one(name))
    assert said_by(watched.one("execute_tool bank/topup"))["guarded_agents.outcome"] == "executed"


@pytest.mark.parametrize("name", ["topup", "bank/topup", "bank__topup"])
async def test_two_calls_of_one_id_have_a_span_each(tmp_path: Path, name: str) -> None:
    watched, about = Watched(), _THEIRS | {"gen_ai.tool.name": name}
    async with at_desk(
        tmp_path,
        calls((*TOPUP, "X"), ("topup", {"account": "ACME", "amount_cents": 6}, "X")),
        tracer_provider=watched.provider,
    ) as desk:
        with watched.provider.get_tracer("x").start_as_current_span("another name", attributes=about):
            await desk.ask()
    outer, inner = watched.one("another name"), watched.one("execute_tool bank/topup")
    assert said_by(outer)["guarded_agents.outcome"] == said_by(inner)["guarded_agents.outcome"] == "executed"


async def test_a_call_is_below_its_own_entry_and_not_below_one_before(tmp_path: Path) -> None:
    watched = Watched()

    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        return calls(WIRE if "and now?" in str(messages) else READ)

    async with at_desk(tmp_path, cast("AIMessage", reply), tracer_provider=watched.provider) as desk:
        await desk.ask()
        with watched.provider.get_tracer("x").start_as_current_span("the second question"):
            request = await desk.held("and now?")
        await desk.approve(request)
    assert watched.below(watched.named("guard screen")[0]) == ["execute_tool bank/balance"]
    [wake] = watched.named("guard wake")
    assert wake.parent is None


async def test_an_id_that_no_encoder_takes_is_made_well_formed(tmp_path: Path) -> None:
    watched = Watched()
    async with at_desk(tmp_path, calls((*TOPUP, "a\ud800")), tracer_provider=watched.provider) as desk:
        await desk.ask()
    [span] = [span for span in watched.spans if span.name.startswith("execute_tool")]
    assert said_by(span)["gen_ai.tool.call.id"] == f"sha256:{sha256(b'a?').hexdigest()[:16]}"
    assert encode_spans(watched.spans).resource_spans


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
    assert said_by(span)["error.type"] == "ProofError"
    assert "guarded_agents.approver" not in said_by(span)
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
