"""The fakes that users build their own tests on."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from mcp.server.fastmcp import FastMCP

from guarded_agents.errors import ConfigurationError
from guarded_agents.testing import FixedClock, InMemoryServer, ScriptedModel, turns_since_entry

CALL = AIMessage("", tool_calls=[{"type": "tool_call", "id": "c-1", "name": "ping", "args": {}}])


def echo(messages: Sequence[BaseMessage]) -> AIMessage:
    return AIMessage(f"after {len(messages)} messages")


MODEL = ScriptedModel(script=(CALL, echo))
ASKED = [HumanMessage("go")]
ANSWERED = [*ASKED, CALL, ToolMessage("pong", tool_call_id="c-1")]


def test_a_reply_depends_only_on_the_messages_shown() -> None:
    first, last, again = MODEL.invoke(ASKED), MODEL.invoke(ANSWERED), MODEL.invoke(ASKED)
    assert first.tool_calls == again.tool_calls == CALL.tool_calls
    assert last.text == "after 3 messages"


def test_a_new_human_message_starts_the_script_again() -> None:
    assert MODEL.invoke([*ANSWERED, AIMessage("done"), HumanMessage("once more")]).tool_calls == CALL.tool_calls


def test_every_reply_has_a_message_id_of_its_own_and_leaves_the_script_as_it_was() -> None:
    first, second = MODEL.invoke(ASKED), MODEL.invoke(ASKED)
    assert first.id != second.id
    assert CALL.id is None


async def test_the_model_answers_asynchronously_and_with_bound_tools() -> None:
    reply = await MODEL.bind_tools([], tool_choice="any").ainvoke(ASKED)
    assert reply.tool_calls == CALL.tool_calls


def test_a_script_that_ends_too_early_says_so() -> None:
    with pytest.raises(ConfigurationError, match="at most 2 model turns, got turn 3"):
        MODEL.invoke([*ANSWERED, AIMessage("more")])


def test_turns_are_counted_without_a_human_message() -> None:
    assert turns_since_entry([]) == 0
    assert turns_since_entry([AIMessage("a"), AIMessage("b")]) == 2


def test_a_clock_stands_until_it_is_told_to_advance() -> None:
    clock = FixedClock(datetime(2026, 1, 5, 10, tzinfo=UTC))
    assert clock() == clock() == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert clock.advance(90) == clock() == datetime(2026, 1, 5, 10, 1, 30, tzinfo=UTC)


async def test_a_server_in_memory_answers_like_a_real_one() -> None:
    app = FastMCP("memory", log_level="ERROR")

    @app.tool()
    def ping(name: str) -> str:
        return f"pong {name}"

    async with InMemoryServer(app) as session:
        assert [tool.name for tool in (await session.list_tools()).tools] == ["ping"]
        assert (await session.call_tool("ping", {"name": "a"})).structuredContent == {"result": "pong a"}
