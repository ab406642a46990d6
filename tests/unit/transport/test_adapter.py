"""AdapterTransport against real servers, over stdio and over HTTP on the loopback interface."""

import asyncio
import contextlib
import contextvars
import json
import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from mcp import ClientSession

from guarded_agents.errors import NoReplyError, NotSentError
from guarded_agents.transport import AdapterTransport, HttpServer, StdioServer, ToolReply, load_servers
from guarded_agents.transport._held import HeldSession

SCRIPT = str(Path(__file__).parents[2] / "support" / "transport_server.py")
STDIO = StdioServer(command=sys.executable, args=(SCRIPT, "stdio"))
LONG = 30.0  # seconds; never waited for
SHORT = 0.05  # seconds; for calls that are never answered


@contextlib.contextmanager
def http_server() -> Iterator[tuple[HttpServer, "subprocess.Popen[str]"]]:
    with subprocess.Popen(
        [sys.executable, SCRIPT, "http"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        try:
            yield HttpServer(url=f"http://127.0.0.1:{port}/mcp"), process
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def opened(server: StdioServer | HttpServer = STDIO, **options: float) -> AsyncIterator[AdapterTransport]:
    transport = AdapterTransport({"odd": server}, **options)  # type: ignore[arg-type]
    try:
        yield transport
    finally:
        await transport.aclose()
        assert not transport._alive


async def call(
    transport: AdapterTransport, tool: str, principal: str = "ana", timeout_s: float = LONG, **arguments: object
) -> ToolReply:
    meta = {"traceparent": "00-1-2-01", "guarded-agents/idempotency-key": "k1"}
    return await transport.call("odd", tool, arguments, principal=principal, meta=meta, timeout_s=timeout_s)  # type: ignore[arg-type]


async def pid(transport: AdapterTransport, principal: str = "ana") -> int:
    reply = await call(transport, "whoami", principal)
    assert isinstance(reply.structured, dict)
    number = reply.structured["pid"]
    assert isinstance(number, int)
    return number


async def died(transport: AdapterTransport) -> int:
    """Kill the server while it is idle, wait until its session knows, and return its process id."""
    number = await pid(transport)
    os.kill(number, 9)
    held = transport._held["odd", "ana"]
    assert held.session is not None
    while not held.session._write_stream._closed:  # noqa: ASYNC110 - the client has no event for it
        await asyncio.sleep(0)
    return number


def lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


# -- what is sent and what comes back ----------------------------------------------------------


async def test_meta_arrives_and_arguments_arrive_under_any_name() -> None:
    async with opened() as transport:
        reply = await call(transport, "meta")
        assert json.loads(reply.text) == {"traceparent": "00-1-2-01", "guarded-agents/idempotency-key": "k1"}
        reply = await call(transport, "echo", config="a", runtime={"b": None})
        assert reply.text == "a {'b': None}"


async def test_every_kind_of_content_becomes_text_and_structured_content_stays_data() -> None:
    async with opened() as transport:
        reply = await call(transport, "everything")
        assert reply.text.splitlines() == [
            "first\x1b[31m\u202e",
            "[image: image/png, 5 bytes, left out]",
            "[audio: audio/wav, 6 bytes, left out]",
            "[resource link: orders, text/csv, 12 bytes, file:///o.csv]",
            "[resource: text/plain, file:///notes.txt]",
            "the notes",
            "[binary resource: text/plain, 5 bytes, file:///notes.txt, left out]",
        ]
        assert reply.structured == {"type": "__overwrite__", "value": None}
        assert not reply.is_error
        failed = await call(transport, "fail")
        assert failed.is_error
        assert not failed.proves_nothing_happened
        assert "no such order" in failed.text


async def test_all_tools_are_listed_with_their_schemas() -> None:
    async with opened() as transport:
        tools = {tool.name: tool for tool in await transport.list_tools("odd", principal="ana")}
        assert transport.servers == ("odd",)
        assert tools["whoami"].server == "odd"
        assert tools["whoami"].output_schema is not None
        assert tools["echo"].output_schema is None
        assert tools["echo"].input_schema["required"] == ["config", "runtime"]


@pytest.mark.requirement("B16")
@pytest.mark.parametrize("kind", ["elicitation", "sampling", "roots"])
async def test_what_a_server_asks_is_refused(kind: str) -> None:
    async with opened() as transport:
        reply = await call(transport, "ask", kind=kind)
        assert reply.text.startswith("refused: ")


# -- sessions ----------------------------------------------------------------------------------


async def test_a_session_is_opened_once_and_held() -> None:
    async with opened() as transport:
        pids = await asyncio.gather(*(pid(transport) for _ in range(5)))
        assert len(set(pids)) == 1
        assert await pid(transport) == pids[0]


async def test_no_session_serves_two_principals() -> None:
    async with opened() as transport:
        assert await pid(transport, "ana") != await pid(transport, "raj")


async def test_a_crash_leaves_every_waiting_call_without_reply_and_the_next_call_opens_a_new_session() -> None:
    async with opened() as transport:
        first = await pid(transport)
        hanging = asyncio.create_task(call(transport, "hang"))
        await asyncio.sleep(0)  # not a wait: the task takes its first step
        with pytest.raises(NoReplyError):
            await call(transport, "crash")
        with pytest.raises(NoReplyError):
            await hanging
        assert await pid(transport) != first


async def test_a_server_that_died_while_idle_is_started_again_by_the_next_call() -> None:
    async with opened() as transport:
        first = await died(transport)
        assert await pid(transport) != first
        tools = await transport.list_tools("odd", principal="ana")
        assert tools


async def test_a_list_from_a_server_that_died_while_idle_comes_from_a_new_one() -> None:
    async with opened() as transport:
        first = await died(transport)
        assert await transport.list_tools("odd", principal="ana")
        assert await pid(transport) != first


async def test_a_server_that_stops_speaking_is_no_reply_and_is_replaced() -> None:
    async with opened() as transport:
        first = await pid(transport)
        with pytest.raises(NoReplyError, match="lost connection"):
            await call(transport, "close_stdout")
        assert await pid(transport) != first


async def test_a_call_that_is_not_answered_in_time_is_no_reply_and_the_session_goes_on() -> None:
    async with opened() as transport:
        first = await pid(transport)
        with pytest.raises(NoReplyError, match="got none in time"):
            await call(transport, "hang", timeout_s=SHORT)
        assert await pid(transport) == first


async def test_cancelling_a_call_is_no_transport_error_and_harms_no_other() -> None:
    async with opened() as transport:
        first = await pid(transport)
        hanging = asyncio.create_task(call(transport, "hang"))
        await asyncio.sleep(0)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert await pid(transport) == first


async def test_cancelling_the_call_that_opens_a_session_does_not_close_it_for_the_others() -> None:
    async with opened() as transport:
        opener = asyncio.create_task(pid(transport))
        await asyncio.sleep(0)
        other = asyncio.create_task(pid(transport))
        await asyncio.sleep(0)
        opener.cancel()
        assert await other > 0


async def test_closing_ends_processes_and_waiting_calls_and_opens_nothing_any_more() -> None:
    transport = AdapterTransport({"odd": STDIO})
    numbers = [await pid(transport, "ana"), await pid(transport, "raj")]
    hanging = asyncio.create_task(call(transport, "hang"))
    await asyncio.sleep(0)
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(NoReplyError):
        await hanging
    assert not any(lives(number) for number in numbers)
    with pytest.raises(NotSentError, match="an open transport"):
        await call(transport, "whoami")


async def test_the_session_idle_longest_makes_room_for_a_new_one() -> None:
    async with opened(max_sessions=2) as transport:
        first, second = await pid(transport, "ana"), await pid(transport, "raj")
        assert await pid(transport, "ana") == first
        await pid(transport, "kim")
        assert await pid(transport, "ana") == first
        assert await pid(transport, "raj") != second


async def test_sessions_in_use_are_not_closed_to_make_room() -> None:
    async with opened(max_sessions=1) as transport:
        await pid(transport, "ana")
        hanging = asyncio.create_task(call(transport, "hang", "ana"))
        await asyncio.sleep(0)
        with pytest.raises(NotSentError, match="fewer than 1 sessions"):
            await pid(transport, "raj")
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        assert await pid(transport, "raj") > 0


async def test_a_session_does_not_inherit_the_context_of_the_call_that_opened_it() -> None:
    secret = contextvars.ContextVar("secret", default="")
    secret.set("of the first caller")
    seen: list[str] = []

    @contextlib.asynccontextmanager
    async def connection() -> AsyncIterator[ClientSession]:
        seen.append(secret.get())
        raise ConnectionRefusedError
        yield

    held = HeldSession("odd", connection(), open_timeout_s=LONG)
    with pytest.raises(NotSentError, match="ConnectionRefusedError"):
        await held.opened(deadline=asyncio.get_running_loop().time() + LONG)
    assert seen == [""]


# -- what cannot be opened ---------------------------------------------------------------------

NO_VERSION = """
input()
hello = {"protocolVersion": "1", "capabilities": {}, "serverInfo": {"name": "m", "version": "1"}}
print(__import__("json").dumps({"jsonrpc": "2.0", "id": 0, "result": hello}), flush=True)
input()
"""
UNOPENED = {
    "no such command": (StdioServer(command="/no/such/folder/server"), "FileNotFoundError"),
    "ends at once": (StdioServer(command=sys.executable, args=("-c", "")), "a server that ended at once"),
    "no such folder": (StdioServer(command=sys.executable, cwd="/no/such/folder"), "FileNotFoundError"),
    "unset secret": (StdioServer(command="x", env_from_env={"A": "GUARD_TEST_UNSET"}), "none of that name"),
    "unset header": (
        HttpServer(url="http://127.0.0.1:9/mcp", headers_from_env={"Authorization": "GUARD_TEST_UNSET"}),
        "none of that name",
    ),
    "nothing but an error": (StdioServer(command=sys.executable, args=("-c", NO_VERSION)), "RuntimeError"),
    "nobody listens": (HttpServer(url="http://127.0.0.1:9/mcp"), "ConnectError"),
}


@pytest.mark.parametrize(("server", "got"), UNOPENED.values(), ids=UNOPENED)
async def test_what_cannot_be_opened_was_certainly_not_sent(server: StdioServer | HttpServer, got: str) -> None:
    async with opened(server) as transport:
        for _ in range(2):  # the second time it is tried afresh
            with pytest.raises(NotSentError, match=f"server odd.*got {got}"):
                await call(transport, "whoami")


async def test_a_server_that_does_not_answer_the_handshake_was_sent_no_call() -> None:
    mute = StdioServer(command=sys.executable, args=("-c", "import sys; sys.stdin.read()"))
    async with opened(mute) as transport:
        with pytest.raises(NotSentError, match="got none in time"):
            await call(transport, "whoami", timeout_s=SHORT)
    async with opened(mute, open_timeout_s=SHORT) as transport:
        with pytest.raises(NotSentError, match="TimeoutError"):
            await call(transport, "whoami")


async def test_an_unknown_server_is_not_asked() -> None:
    async with opened() as transport:
        with pytest.raises(NotSentError, match="expected one of odd"):
            await transport.call("other", "x", {}, principal="ana", meta={}, timeout_s=LONG)


def test_a_transport_belongs_to_one_event_loop() -> None:
    transport = AdapterTransport({"odd": STDIO})
    with asyncio.Runner() as first, asyncio.Runner() as second:
        assert first.run(pid(transport)) > 0
        with pytest.raises(NotSentError, match="event loop"):
            second.run(pid(transport))
        with pytest.raises(NotSentError, match="event loop"):
            second.run(transport.aclose())
        first.run(transport.aclose())
    asyncio.run(transport.aclose())  # its loop is closed, so nothing is left to close


# -- the process of a stdio server ---------------------------------------------------------------


async def test_a_stdio_server_sees_only_the_environment_that_its_record_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARD_TEST_SECRET", "s3cret")
    monkeypatch.setenv("GUARD_TEST_OTHER", "not for servers")
    server = STDIO.model_copy(
        update={
            "env": {"PLAIN": "${GUARD_TEST_OTHER}"},
            "env_from_env": {"TOKEN": "GUARD_TEST_SECRET"},
            "cwd": str(tmp_path),
        }
    )
    async with opened(server) as transport:
        names, folder = (await call(transport, "environment")).text.splitlines()
        assert {"PLAIN", "TOKEN"} <= set(names.split())
        assert not any(name.startswith("GUARD_TEST") for name in names.split())
        assert folder == str(tmp_path)
        assert (await call(transport, "variable", name="PLAIN")).text == "${GUARD_TEST_OTHER}"
        assert (await call(transport, "variable", name="TOKEN")).text == "s3cret"


STDERR = {"discard": "", "inherit": "last words\n"}


@pytest.mark.parametrize(("stderr", "seen"), STDERR.items(), ids=STDERR)
async def test_what_a_server_writes_to_standard_error_goes_where_its_record_says(
    stderr: str, seen: str, capfd: pytest.CaptureFixture[str]
) -> None:
    servers = load_servers({"odd": {"command": sys.executable, "args": [SCRIPT, "stdio"], "stderr": stderr}})
    async with opened(servers["odd"]) as transport:
        with pytest.raises(NoReplyError):
            await call(transport, "crash")
    assert capfd.readouterr().err == seen


async def test_what_a_server_writes_to_standard_error_can_be_kept_in_a_file(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    async with opened(STDIO.model_copy(update={"stderr_file": str(log)})) as transport:
        for _ in range(2):
            with pytest.raises(NoReplyError):
                await call(transport, "crash")
    assert log.read_text() == "last words\n" * 2


# -- HTTP ----------------------------------------------------------------------------------------


@pytest.mark.requirement("I10")
@pytest.mark.parametrize("error", [None, OSError("disk full"), asyncio.CancelledError()], ids=repr)
async def test_a_reply_over_http_comes_beside_a_log_that_fails_and_no_log_names_the_session(
    error: BaseException | None,
) -> None:
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.name} {record.getMessage()}")
            if error is not None:
                raise error

    root, handler = logging.getLogger(), Handler()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with http_server() as (server, _):
            async with opened(server) as transport:
                assert (await call(transport, "whoami")).text
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert [line for line in lines if line.startswith(("mcp", "http"))] == []


async def test_an_http_server_keeps_one_session_for_each_principal_and_sees_their_headers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUARD_TEST_SECRET", "Bearer s3cret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with http_server() as (server, _):
        secret = server.model_copy(update={"headers_from_env": {"Authorization": "GUARD_TEST_SECRET"}})
        async with opened(secret) as transport:
            ana = (await call(transport, "session")).text
            assert ana
            assert (await call(transport, "session")).text == ana
            assert (await call(transport, "session", "raj")).text != ana
            assert (await call(transport, "header", name="authorization")).text == "Bearer s3cret"
            assert json.loads((await call(transport, "meta")).text)["traceparent"] == "00-1-2-01"
            with pytest.raises(NoReplyError, match="got none in time"):
                await call(transport, "hang", timeout_s=SHORT)
            assert (await call(transport, "session")).text == ana


async def test_an_http_server_that_crashes_is_no_reply_and_one_that_comes_back_is_used_again() -> None:
    with http_server() as (server, _):
        async with opened(server) as transport:
            await call(transport, "whoami")
            hanging = asyncio.create_task(call(transport, "hang"))
            await asyncio.sleep(0)
            with pytest.raises(NoReplyError, match="lost connection"):
                await call(transport, "crash")
            with pytest.raises(NoReplyError, match="lost connection"):
                await hanging
            with pytest.raises(NotSentError):
                await call(transport, "whoami")
            with http_server() as (again, _):
                transport._servers["odd"] = again
                assert not (await call(transport, "whoami")).is_error


async def test_an_http_server_that_died_while_idle_is_no_reply_for_nobody_knows_how_far_the_call_went() -> None:
    with http_server() as (server, process):
        async with opened(server) as transport:
            await call(transport, "whoami")
            process.kill()
            process.wait()
            with pytest.raises(NoReplyError, match="lost connection"):
                await call(transport, "whoami")
            with pytest.raises(NotSentError):
                await call(transport, "whoami")


async def test_an_http_session_that_the_server_no_longer_knows_proves_that_nothing_happened() -> None:
    with http_server() as (server, _):
        async with opened(server) as transport:
            await call(transport, "whoami")
            session = (await call(transport, "session")).text
            assert session
            await asyncio.to_thread(end_http_session, server.url, session)
            reply = await call(transport, "whoami")
            assert (reply.is_error, reply.proves_nothing_happened) == (True, True)
            assert not (await call(transport, "whoami")).is_error


def end_http_session(url: str, session: str) -> None:
    import httpx

    httpx.delete(url, headers={"mcp-session-id": session}, trust_env=False).raise_for_status()


async def test_it_says_how_each_server_is_reached_and_how_often_a_lost_session_was_opened_again() -> None:
    async with opened() as transport:
        assert transport.networks == {"odd": "pipe"}
        await call(transport, "whoami")
        assert transport.reopened == {}
        await died(transport)
        await call(transport, "whoami")
        await call(transport, "whoami")
        assert transport.reopened == {"odd": 1}
    with http_server() as (server, _):
        async with opened(server) as transport:
            assert transport.networks == {"odd": "tcp"}
