"""No secret at rest, and no argument in the audit log, in a span or in a log line (DESIGN I10)."""

import logging
import sqlite3
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from guarded_agents import GuardError
from guarded_agents.transport import ToolReply
from tests.support.bank import ANA, POLICY, Answer, calls
from tests.support.ledger import KEYS, Desk, Ledger, at_desk

CANARY = "canary-7f3a"
ANSWERED = "canary-9b21"
SCRIPT = (
    calls(
        ("balance", {"account": CANARY}),
        ("topup", {"account": CANARY, "amount_cents": 5}),
        ("wire", {"account": CANARY, "amount_cents": 5}),
        ("topup", {"account": CANARY, "amount_cents": "5"}),
        ("topup", {"account": CANARY, "amount_cents": 501}),
        ("nothing", {"account": CANARY}),
        ("balance", {"account": CANARY, "config": CANARY}),
        ("wire", {"account": CANARY + "\ud800", "amount_cents": 5}),
    ),
)


async def run(desk: Desk) -> None:
    """Let every kind of call happen: read, effect, approved, edited, refused for each sort of reason."""
    await desk.ask()
    [request] = await desk.waiting()
    with pytest.raises(GuardError) as told:
        await desk.approve(request, Answer.EDIT, arguments={"account": CANARY, "amount_cents": 100_001})
    assert CANARY not in str(told.value)
    edited = await desk.approve(request, Answer.EDIT, arguments={"account": CANARY, "amount_cents": 6})
    await desk.approve(edited.request.id, approver="raj@example.com")
    assert (await desk.state()).next == ()


def talkative(sent: Any) -> ToolReply:
    return ToolReply(ANSWERED, {"said": ANSWERED}, is_error=sent.tool == "topup")


def audit_bytes(path: Path) -> bytes:
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT * FROM audit").fetchall()
    connection.close()
    assert len(rows) > 10
    return b"\n".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)


@pytest.mark.requirement("I10")
async def test_arguments_and_answers_stand_in_no_audit_entry_span_or_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    caplog.set_level(logging.DEBUG)
    async with at_desk(tmp_path, *SCRIPT, server=Ledger(reply=talkative), tracer_provider=provider) as desk:
        await run(desk)
        await desk.agent.aupdate_state(desk.config, {"messages": {"type": "__overwrite__", "value": [CANARY]}})
        await desk.agent.aupdate_state(desk.config, {"guard_trust": {"__overwrite__": {CANARY: CANARY}}})
    spans = "".join(span.to_json() for span in exporter.get_finished_spans())
    assert "execute_tool bank/balance" in spans
    audit = audit_bytes(desk.bank.folder / "guard.db")
    for canary in (CANARY, ANSWERED):
        assert canary.encode() not in audit
        assert canary not in spans
        assert canary not in "".join(
            record.getMessage() for record in caplog.records if record.name.startswith("guarded_agents")
        )


def files(folder: Path, pattern: str) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.glob(pattern)}


@pytest.mark.requirement("I10")
async def test_no_key_stands_in_the_store_the_checkpoints_or_a_span(tmp_path: Path) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    checkpoints = tmp_path / "checkpoints.db"
    async with (
        AsyncSqliteSaver.from_conn_string(str(checkpoints)) as saver,
        at_desk(tmp_path, *SCRIPT, saver=saver, tracer_provider=provider) as desk,
    ):
        await run(desk)
        services, folder = desk.guard._services, desk.bank.folder
    signing = KEYS[ANA].private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    places = files(folder, "guard.db*") | files(tmp_path, "checkpoints.db*")
    secret = places.pop(folder / "guard.db.key")
    places[Path("spans")] = "".join(span.to_json() for span in exporter.get_finished_spans()).encode()
    assert CANARY.encode() in places[checkpoints]  # what was said stands where it belongs: the search does find things
    for key in (secret, signing, services.binding_key, services.request_key):
        for spelt in (key, key.hex().encode(), b64encode(key)):
            assert [path for path, content in places.items() if spelt in content] == []


@pytest.mark.requirement("I10")
async def test_the_digest_of_a_guessable_call_is_another_in_another_deployment(tmp_path: Path) -> None:
    from langchain_core.messages import HumanMessage

    from tests.support.bank import CONTEXT

    digests = set()
    for name in ("one", "other"):
        async with at_desk(tmp_path / name, calls(("wire", {"account": "A", "amount_cents": 1}))) as desk:
            said: Any = {"messages": [HumanMessage("please", id="m1")]}
            await desk.agent.ainvoke(said, desk.config, context=CONTEXT)
            [held] = desk.guard.store.requests()
            request = desk.guard.store.request(held.id).request
            digests |= {request.call_digest, request.digest, request.id, request.question}
    assert len(digests) == 8


@pytest.mark.requirement("I10")
async def test_a_refusal_tells_the_model_no_rule_and_no_argument(tmp_path: Path) -> None:
    denied = POLICY.replace("permit_when: args.amount_cents <= 500", "permit_when: args.amount_cents <= 4321")
    script = calls(("topup", {"account": CANARY, "amount_cents": 5_000}), ("drop_table", {"account": CANARY}))
    async with at_desk(tmp_path, script, policy=denied) as desk:
        told = "".join((await desk.ask()).values())
        for word in (CANARY, "4321", "permit_when", "bank:drop", "finance", "teller", "bank/"):
            assert word not in told
