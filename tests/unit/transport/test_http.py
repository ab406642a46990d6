"""The HTTP client under a session: how the end of an event stream is told."""

from collections.abc import AsyncIterator

import httpx
import pytest

from guarded_agents.transport._http import http_client

ASKED = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
END = b'\n\nevent: message\ndata: {"jsonrpc":"2.0","id":7,"error":{"code":-32000,"message":"Connection closed"}}\n\n'


class Chunks(httpx.AsyncByteStream):
    def __init__(self, *chunks: bytes, breaks: bool) -> None:
        self._chunks, self._breaks = chunks, breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        if self._breaks:
            raise httpx.ReadError("gone")


async def read(chunks: Chunks, headers: dict[str, str], method: str = "POST", asked: object = ASKED) -> bytes:
    client = http_client(None, httpx.Timeout(1.0))
    client._transport = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, stream=chunks))
    async with client, client.stream(method, "http://localhost/mcp", json=asked) as response:
        return b"".join([chunk async for chunk in response.aiter_raw()])


ENDED = {
    "ends": (Chunks(b": ping\n\n", breaks=False), b": ping\n\n" + END),
    "breaks": (Chunks(b"data: {", breaks=True), b"data: {" + END),
    "ends at once": (Chunks(breaks=True), END),
    "ends, and can be resumed": (Chunks(b"id: 1\ndata:\n\n", b"x", breaks=False), b"id: 1\ndata:\n\nx"),
}


@pytest.mark.parametrize(("chunks", "seen"), ENDED.values(), ids=ENDED)
async def test_an_event_stream_that_ends_without_answer_answers_with_a_closed_connection(
    chunks: Chunks, seen: bytes
) -> None:
    assert await read(chunks, EVENTS) == seen


async def test_an_event_stream_that_can_be_resumed_breaks_as_it_did() -> None:
    with pytest.raises(httpx.ReadError):
        await read(Chunks(b"id: 1\n\n", breaks=True), EVENTS)


OTHERS = {
    "another type": ({"content-type": "application/json"}, "POST", ASKED),
    "no type": ({}, "POST", ASKED),
    "compressed": (EVENTS | {"content-encoding": "gzip"}, "POST", ASKED),
    "the server's own stream": (EVENTS, "GET", ASKED),
    "a notification": (EVENTS, "POST", {"jsonrpc": "2.0", "method": "x"}),
}


@pytest.mark.parametrize(("headers", "method", "asked"), OTHERS.values(), ids=OTHERS)
async def test_any_other_response_is_left_alone(headers: dict[str, str], method: str, asked: object) -> None:
    assert await read(Chunks(b"x", breaks=False), headers, method, asked) == b"x"


@pytest.mark.parametrize("trusting", [True, False], ids=["elsewhere", "this machine"])
async def test_proxies_of_the_environment_are_for_servers_elsewhere(
    trusting: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with http_client(trust_env=trusting) as client:
        assert bool(client._mounts) is trusting
