"""Spans told by other conventions too, where that is asked for."""

from pathlib import Path
from typing import Any

import pytest

from guarded_agents import ConfigurationError
from guarded_agents.telemetry import Semconv
from tests.support.bank import calls
from tests.support.ledger import at_desk
from tests.support.watched import Watched, said_by

READ = ("balance", {"account": "ACME"})
WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
NO = ("drop_table", {"account": "ACME"})
KIND = "openinference.span.kind"
VERDICT, ACTION = "gen_ai.guardrail.verdict.type", "gen_ai.guardrail.action.type"
OTHERS = ("openinference.", "gen_ai.guardrail.", "tool.", "session.", "input.", "output.")


async def seen(folder: Path, **changes: Any) -> Watched:
    """Return what is seen of a read, a deny, and a call that a person approves."""
    watched = Watched()
    async with at_desk(folder, calls(READ, NO, WIRE), tracer_provider=watched.provider, **changes) as desk:
        await desk.approve(await desk.held())
    return watched


def of_others(watched: Watched) -> set[str]:
    return {key for span in watched.spans for key in said_by(span) if key.startswith(OTHERS)}


def said(watched: Watched, key: str) -> set[tuple[str, Any]]:
    return {(span.name, said_by(span)[key]) for span in watched.spans if key in said_by(span)}


async def test_nothing_of_other_conventions_is_said_unless_asked_for(tmp_path: Path) -> None:
    assert of_others(await seen(tmp_path)) == set()


async def test_beside_openinference_a_call_is_a_tool_and_what_decides_is_a_guardrail(tmp_path: Path) -> None:
    watched = await seen(tmp_path, semconv={Semconv.OPENINFERENCE})
    assert said(watched, KIND) == {
        ("execute_tool bank/balance", "TOOL"),
        ("execute_tool bank/drop_table", "GUARDRAIL"),
        ("execute_tool bank/wire", "TOOL"),
        ("guard approval", "GUARDRAIL"),
        ("guard decide", "GUARDRAIL"),
        ("guard execute", "CHAIN"),
        ("guard screen", "GUARDRAIL"),
        ("guard vote", "GUARDRAIL"),
        ("guard wake", "CHAIN"),
    }
    assert all(KIND in said_by(span) for span in watched.spans)
    assert ("execute_tool bank/wire", "bank/wire") in said(watched, "tool.name")
    assert {thread for _, thread in said(watched, "session.id")} == {"t1"}
    assert of_others(watched) == {KIND, "tool.name", "session.id"}


async def test_contents_are_shown_to_openinference_only_where_they_are_switched_on(tmp_path: Path) -> None:
    watched = await seen(tmp_path, semconv={Semconv.OPENINFERENCE}, unsafe_trace_contents=True)
    told = said_by(watched.one("execute_tool bank/balance"))
    assert (told["input.value"], told["input.mime_type"]) == ('{"account":"ACME"}', "application/json")
    assert told["input.value"] == told["gen_ai.tool.call.arguments"]
    assert (told["output.value"], told["output.mime_type"]) == (told["gen_ai.tool.call.result"], "text/plain")


async def test_the_drafted_guardrail_attributes_say_verdict_action_and_rule(tmp_path: Path) -> None:
    watched = await seen(tmp_path, semconv={Semconv.GUARDRAIL})
    assert said(watched, VERDICT) == {
        ("execute_tool bank/balance", "allow"),
        ("execute_tool bank/drop_table", "deny"),
        ("execute_tool bank/wire", "allow"),
        ("guard approval", "allow"),
        ("guard decide", "allow"),
        ("guard decide", "deny"),
    }
    assert said(watched, ACTION) == {
        ("execute_tool bank/balance", "allow"),
        ("execute_tool bank/drop_table", "block"),
        ("execute_tool bank/wire", "allow"),
        ("guard approval", "escalate"),
        ("guard decide", "allow"),
        ("guard decide", "block"),
        ("guard decide", "escalate"),
    }
    told = said_by(watched.one("execute_tool bank/wire"))
    assert told["gen_ai.guardrail.component.name"] == "guarded_agents"
    assert (told["gen_ai.guardrail.target.type"], told["gen_ai.guardrail.target.subtype"]) == ("input", "tool_call")
    assert told["gen_ai.guardrail.target.id"] == told["gen_ai.tool.call.id"]
    assert told["gen_ai.guardrail.security.policy.id"] == told["guarded_agents.policy.digest"]
    assert told["gen_ai.guardrail.security.policy.rule.id"] == told["guarded_agents.rule"]
    assert told["gen_ai.guardrail.verdict.code"] == "permitted"
    assert told["gen_ai.operation.name"] == "execute_tool"
    assert of_others(watched) == {key for key in told if key.startswith("gen_ai.guardrail.")}


async def test_a_span_of_somebody_elses_keeps_its_kind_and_its_session(tmp_path: Path) -> None:
    watched, own = Watched(), {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "call-0", KIND: "AGENT"}
    own["gen_ai.tool.name"] = "balance"
    given: dict[str, Any] = {"tracer_provider": watched.provider, "semconv": set(Semconv)}
    async with at_desk(tmp_path, calls(READ), **given) as desk:
        with watched.provider.get_tracer("another").start_as_current_span("theirs", attributes=own):
            await desk.ask()
    told = said_by(watched.one("theirs"))
    assert (told[KIND], told["tool.name"], told[VERDICT]) == ("AGENT", "bank/balance", "allow")
    assert "session.id" not in told


NAMES: dict[str, Any] = {"another name": ("phoenix",), "a string": "openinference"}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
async def test_a_convention_that_is_not_known_is_refused_before_anything_is_opened(tmp_path: Path, names: Any) -> None:
    with pytest.raises(ConfigurationError, match="expected a set of guardrail, openinference"):
        async with at_desk(tmp_path, semconv=names):
            raise AssertionError
    assert not (tmp_path / "desk" / "guard.db").exists()
