"""SessionTransport, and what each answer of a server proves, against sessions in memory."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import httpx
import pytest
from mcp import ClientSession
from mcp.server.fastmcp import FastMCP
from mcp.shared.memory import create_connected_server_and_client_session
from mcp.types import ErrorData

from guarded_agents.errors import NoReplyError, NotSentError, TransportError
from guarded_agents.transport import (
    AdapterTransport,
    SessionTransport,
    StdioServer,
    ToolReply,
    _adapter,
    _exchange,
    _held,
)
from tests.support.scripted_session import Answer, HangUpError, scripted_session

LONG = 30.0  # seconds; never waited for
SHORT = 0.02  # seconds; for what is never answered


def tool(name: object = "t", **fields: object) -> dict[str, object]:
    return {"name": name, "inputSchema": {"type": "object"}, **fields}


async def call(transport: SessionTransport | AdapterTransport, timeout_s: float = LONG) -> ToolReply:
    return await transport.call("s", "t", {"a": 1}, principal="ana", meta={"k": "v"}, timeout_s=timeout_s)


async def reply_to(answer: Answer) -> ToolReply:
    async with scripted_session(lambda method, params: answer) as session:
        (reply,) = await asyncio.gather(call(SessionTransport({"s": session})), return_exceptions=True)
    if isinstance(reply, BaseException):
        raise reply  # out here, where the session's task group does not wrap it
    return reply


async def close_what_waits(session: ClientSession) -> None:
    """Close the answer of what was asked of *session*, once something was."""
    while not session._response_streams:  # noqa: ASYNC110 - the client has no event for it
        await asyncio.sleep(0)
    for stream in session._response_streams.values():
        stream.close()


# -- calls ---------------------------------------------------------------------------------------


async def test_a_call_is_sent_as_it_is_and_costs_one_request() -> None:
    seen: list[tuple[str, dict[str, object]]] = []

    def answer(method: str, params: dict[str, object]) -> Answer:
        seen.append((method, params))
        return {"content": [{"type": "text", "text": "done"}]}

    async with scripted_session(answer) as session:
        transport = SessionTransport({"s": session, "a": session})
        assert transport.servers == ("a", "s")
        arguments = {"config": None, "nested": {"none": None, "float": 1.5, "big": 2**53 - 1}}
        reply = await transport.call("s", "t", arguments, principal="ana", meta={"k": "v"}, timeout_s=LONG)  # type: ignore[arg-type]
        assert reply == ToolReply("done", None, is_error=False)
        assert seen == [("tools/call", {"name": "t", "arguments": arguments, "_meta": {"k": "v"}})]
        await transport.aclose()
        assert (await call(transport)).text == "done"  # it closes nothing that it did not open


async def test_a_result_that_breaks_its_output_schema_is_left_to_the_door() -> None:
    server = FastMCP("odd")

    @server.tool(structured_output=False)
    def number() -> list[str]:
        return ["a", "b"]

    async with create_connected_server_and_client_session(server) as session:
        transport = SessionTransport({"s": session})
        reply = await transport.call("s", "number", {}, principal="ana", meta={}, timeout_s=LONG)
        assert reply == ToolReply("a\nb", None, is_error=False)
        missing = await transport.call("s", "missing", {}, principal="ana", meta={}, timeout_s=LONG)
        assert (missing.is_error, missing.proves_nothing_happened) == (True, False)


ERRORS = {
    "method not found": (-32601, True, "the server did not run the tool: unknown method (error -32601)"),
    "invalid params": (-32602, True, "the server did not run the tool: invalid parameters (error -32602)"),
    "HTTP 404 for a session": (32600, True, "the server did not run the tool: the session had ended (error 32600)"),
    "internal error": (-32603, False, "the server failed with error -32603"),
    "parse error": (-32700, False, "the server failed with error -32700"),
    "elicitation by address": (-32042, False, "the server failed with error -32042"),
    "any other": (7, False, "the server failed with error 7"),
}


@pytest.mark.parametrize(("code", "proves", "text"), ERRORS.values(), ids=ERRORS)
async def test_an_error_is_a_reply_that_proves_what_its_code_says_and_quotes_nothing(
    code: int, proves: bool, text: str
) -> None:
    reply = await reply_to(ErrorData(code=code, message="SECRET", data={"x": "SECRET"}))
    assert reply == ToolReply(text, None, is_error=True, proves_nothing_happened=proves)


@pytest.mark.parametrize("code", [408, -32000], ids=["request timeout", "connection closed"])
async def test_a_code_that_the_client_itself_uses_for_a_lost_reply_is_no_reply(code: int) -> None:
    with pytest.raises(NoReplyError, match="s/t: expected a reply"):
        await reply_to(ErrorData(code=code, message="SECRET"))


async def test_a_call_without_answer_ends_in_time_as_no_reply() -> None:
    async with scripted_session(lambda method, params: None) as session:
        with pytest.raises(NoReplyError, match="got none in time"):
            await call(SessionTransport({"s": session}), timeout_s=SHORT)


async def test_the_time_out_of_the_session_itself_is_no_reply() -> None:
    async with scripted_session(lambda method, params: None, read_timeout=timedelta(seconds=SHORT)) as session:
        with pytest.raises(NoReplyError, match="got none in time"):
            await call(SessionTransport({"s": session}))


async def test_a_server_that_hangs_up_is_no_reply_and_what_comes_after_was_not_sent() -> None:
    def answer(method: str, params: dict[str, object]) -> Answer:
        raise HangUpError

    async with scripted_session(answer) as session:
        transport = SessionTransport({"s": session})
        with pytest.raises(NoReplyError, match="lost connection"):
            await call(transport)
        while not session._write_stream._closed:  # noqa: ASYNC110 - the client has no event for it
            await asyncio.sleep(0)
        with pytest.raises(NotSentError, match="got a closed one"):
            await call(transport)
        with pytest.raises(NotSentError, match="got a closed one"):
            await transport.list_tools("s", principal="ana")


async def test_a_reply_that_is_closed_without_one_is_no_reply() -> None:
    async with scripted_session(lambda method, params: None) as session:
        waiting = asyncio.create_task(call(SessionTransport({"s": session})))
        await close_what_waits(session)
        with pytest.raises(NoReplyError, match="lost connection"):
            await waiting


async def test_cancelling_a_call_cancels_it() -> None:
    async with scripted_session(lambda method, params: None) as session:
        waiting = asyncio.create_task(call(SessionTransport({"s": session})))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_an_unknown_server_is_not_asked() -> None:
    with pytest.raises(NotSentError, match="server s: expected one of , got an unknown name"):
        await call(SessionTransport({}))


# -- lists ---------------------------------------------------------------------------------------


async def tools_of(answer: Callable[[str, dict[str, object]], Answer], timeout_s: float = LONG) -> list[str]:
    async with scripted_session(answer) as session:
        transport = SessionTransport({"s": session}, list_timeout_s=timeout_s)
        (tools,) = await asyncio.gather(transport.list_tools("s", principal="ana"), return_exceptions=True)
    if isinstance(tools, BaseException):
        raise tools
    return [found.name for found in tools]


async def test_every_page_is_listed() -> None:
    pages: dict[object, Answer] = {
        None: {"tools": [tool("a"), tool("b")], "nextCursor": "2"},
        "2": {"tools": [tool("a")], "nextCursor": "3"},  # a name claimed twice is for the catalogue to judge
        "3": {"tools": [tool("c")], "nextCursor": ""},
    }
    assert await tools_of(lambda method, params: pages[params.get("cursor")]) == ["a", "b", "a", "c"]


JUNK: dict[str, object] = {
    "no object": 7,
    "no name": {"inputSchema": {}},
    "empty name": tool(""),
    "odd name": tool(["t"]),
    "unstorable name": tool("\ud800"),
    "no input schema": {"name": "t"},
    "odd input schema": tool(inputSchema=[]),
    "schema without JSON form": tool(inputSchema={"minimum": float("nan")}),
    "odd output schema": tool(outputSchema="x"),
    "odd description": tool(description={"a": 1}),
    "odd title": tool(title=1),
    "odd annotations": tool(annotations=["readOnlyHint"]),
    "huge": tool(description="x" * 2_000_000),
}


@pytest.mark.parametrize("entry", JUNK.values(), ids=JUNK)
async def test_an_entry_that_is_no_tool_is_left_out_and_harms_no_other(
    entry: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert await tools_of(lambda method, params: {"tools": [entry, tool("good")]}) == ["good"]
    assert "server s: 1 entries of its tool list" in caplog.text


NO_LISTS: dict[str, tuple[Answer, str]] = {
    "no tools": ({}, "a page without them"),
    "odd tools": ({"tools": {}}, "a page without them"),
    "odd cursor": ({"tools": [], "nextCursor": 3}, "a page without them"),
    "endless": ({"tools": [], "nextCursor": "1"}, "more than 1000 pages"),
    "error": (ErrorData(code=-32603, message="SECRET"), "error -32603"),
}


@pytest.mark.parametrize(("answer", "got"), NO_LISTS.values(), ids=NO_LISTS)
async def test_a_list_that_is_none_is_an_error_and_never_cut_short(answer: Answer, got: str) -> None:
    with pytest.raises(TransportError, match=f"server s: expected a list of its tools, got {got}"):
        await tools_of(lambda method, params: answer)


async def test_a_list_too_long_to_be_meant_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_exchange, "MAX_TOOLS", 3)
    with pytest.raises(TransportError, match="more than 3"):
        await tools_of(lambda method, params: {"tools": [tool(), 7], "nextCursor": "1"})


async def test_a_list_that_does_not_come_in_time_is_an_error() -> None:
    with pytest.raises(TransportError, match="got none in time"):
        await tools_of(lambda method, params: None, timeout_s=SHORT)


# -- AdapterTransport over the same sessions -------------------------------------------------------


@contextlib.asynccontextmanager
async def adapter(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[str, dict[str, object]], Answer], **options: float
) -> AsyncIterator[AdapterTransport]:
    monkeypatch.setattr(_adapter, "connection", lambda name, server: scripted_session(answer))
    transport = AdapterTransport({"s": StdioServer(command="x")}, **options)  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        await transport.aclose()


async def test_a_held_session_lists_in_time_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async with adapter(monkeypatch, lambda method, params: None, list_timeout_s=SHORT) as transport:
        with pytest.raises(TransportError, match="a list of its tools, got none in time"):
            await transport.list_tools("s", principal="ana")


async def test_an_error_that_looks_like_a_lost_connection_costs_other_waiting_calls_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Answer] = [None, ErrorData(code=-32000, message="SECRET"), {"content": []}]
    async with adapter(monkeypatch, lambda method, params: answers.pop(0)) as transport:
        waiting = asyncio.create_task(call(transport))
        while len(answers) == 3:  # noqa: ASYNC110 - until it is sent
            await asyncio.sleep(0)
        with pytest.raises(NoReplyError):
            await call(transport)
        first = next(iter(transport._alive))
        assert not (await call(transport)).is_error  # on a session of its own
        assert len(transport._alive) == 2
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait([waiting, first.owner])  # with its last call, the first session closes
        assert len(transport._alive) == 1


async def test_a_session_that_closes_at_once_is_tried_twice_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    @contextlib.asynccontextmanager
    async def connection(name: str, server: object) -> AsyncIterator[ClientSession]:
        opened.append(name)
        async with scripted_session(lambda method, params: None) as session:
            session.initialize = session._write_stream.aclose  # type: ignore[assignment,method-assign]
            yield session

    monkeypatch.setattr(_adapter, "connection", connection)
    transport = AdapterTransport({"s": StdioServer(command="x")})
    with pytest.raises(NotSentError, match="one that closes at once"):
        await call(transport)
    assert opened == ["s", "s"]
    with pytest.raises(NotSentError, match="one that closes at once"):
        await transport.list_tools("s", principal="ana")
    assert len(opened) == 4
    await transport.aclose()


async def test_a_server_that_does_not_answer_the_farewell_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def connection(name: str, server: object) -> AsyncIterator[ClientSession]:
        async with scripted_session(lambda method, params: {"content": []}) as session:
            yield session
            await asyncio.Event().wait()

    monkeypatch.setattr(_adapter, "connection", connection)
    monkeypatch.setattr(_held, "CLOSE_TIMEOUT_S", SHORT)
    transport = AdapterTransport({"s": StdioServer(command="x")})
    await call(transport)
    await transport.aclose()
    assert not transport._alive


async def test_a_session_that_ended_makes_room_and_one_that_is_opening_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stay = asyncio.Event()

    @contextlib.asynccontextmanager
    async def connection(name: str, server: object) -> AsyncIterator[ClientSession]:
        await stay.wait()
        raise ConnectionRefusedError
        yield

    monkeypatch.setattr(_adapter, "connection", connection)
    transport = AdapterTransport({"s": StdioServer(command="x"), "t": StdioServer(command="x")}, max_sessions=1)
    with pytest.raises(NotSentError, match="none in time"):
        await call(transport, timeout_s=SHORT)
    with pytest.raises(NotSentError, match="fewer than 1 sessions"):
        await transport.list_tools("t", principal="ana")
    stay.set()
    with pytest.raises(NotSentError, match="ConnectionRefusedError"):
        await call(transport)
    with pytest.raises(NotSentError, match="ConnectionRefusedError"):
        await transport.list_tools("t", principal="ana")
    await transport.aclose()


async def test_a_list_whose_answer_is_closed_is_an_error() -> None:
    async with scripted_session(lambda method, params: None) as session:
        waiting = asyncio.create_task(SessionTransport({"s": session}).list_tools("s", principal="ana"))
        await close_what_waits(session)
        with pytest.raises(TransportError, match="a lost connection"):
            await waiting


async def test_a_server_that_refuses_the_handshake_is_told_by_its_http_status(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.asynccontextmanager
    async def connection(name: str, server: object) -> AsyncIterator[ClientSession]:
        request = httpx.Request("POST", "https://a.example/?key=SECRET")
        error = httpx.HTTPStatusError("SECRET", request=request, response=httpx.Response(401))
        raise ExceptionGroup("SECRET", [error])
        yield

    monkeypatch.setattr(_adapter, "connection", connection)
    transport = AdapterTransport({"s": StdioServer(command="x")})
    with pytest.raises(NotSentError, match="got HTTP status 401;") as caught:
        await call(transport)
    assert "SECRET" not in str(caught.value)
    await transport.aclose()
