"""Webhooks as Standard Webhooks 1.0.0 describes them, received by its own library and by a real socket."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
import standardwebhooks

from guarded_agents.errors import ConfigurationError, DeliveryError
from guarded_agents.notify import Webhook
from guarded_agents.records import NoticeKind, Risk
from tests.support.outbox import NOON, notice

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "A" * 40
URL = "https://hooks.example.com/secret-path"


def client(answer: httpx.Response | Exception, seen: list[httpx.Request]) -> httpx.AsyncClient:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.AsyncClient(transport=httpx.MockTransport(handle))


async def sent(*secrets: str, now: Callable[[], datetime] = lambda: NOON, **changes: object) -> httpx.Request:
    seen: list[httpx.Request] = []
    webhook = Webhook(
        URL,
        secrets or SECRET,
        link="https://inbox.example/{request}",
        client=client(httpx.Response(204), seen),
        now=now,
    )
    await webhook.notify(notice(**changes))
    return seen[0]


async def test_the_body_says_what_happened_and_where_to_look_and_nothing_more() -> None:
    request = await sent(kind=NoticeKind.GLASS_BROKEN, request="r/1", risk=Risk.HIGH)

    assert orjson.loads(request.content) == {
        "type": "approval.glass_broken",
        "timestamp": "2026-01-05T12:00:00Z",
        "data": {"request": "r/1", "risk": "high", "to": "finance", "link": "https://inbox.example/r%2F1"},
    }
    assert request.headers["content-type"] == "application/json"


async def test_the_receiver_s_library_takes_the_signature() -> None:
    signed_at = datetime.now(UTC)  # the library compares with the machine's clock
    request = await sent(now=lambda: signed_at)

    standardwebhooks.Webhook(SECRET).verify(request.content, dict(request.headers))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(OTHER).verify(request.content, dict(request.headers))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(request.content + b" ", dict(request.headers))


async def test_both_secrets_sign_while_the_receiver_changes_from_one_to_the_other() -> None:
    signed_at = datetime.now(UTC)
    request = await sent(SECRET, OTHER, now=lambda: signed_at)

    for secret in (SECRET, OTHER):
        standardwebhooks.Webhook(secret).verify(request.content, dict(request.headers))


async def test_a_second_attempt_has_the_same_id_and_a_time_of_its_own() -> None:
    first, second = await sent(), await sent(attempt=2, now=lambda: NOON + timedelta(seconds=5))

    assert first.headers["webhook-id"] == second.headers["webhook-id"] == notice().id
    assert (first.headers["webhook-timestamp"], second.headers["webhook-timestamp"]) == ("1767614400", "1767614405")
    assert first.content == second.content


REFUSALS = {
    "redirect": (httpx.Response(302, headers={"location": "https://elsewhere.example"}), False, None),
    "not found": (httpx.Response(404), False, None),
    "gone": (httpx.Response(410), True, None),
    "too many": (httpx.Response(429, headers={"retry-after": "120"}), False, 120),
    "in a hundred years": (httpx.Response(503, headers={"retry-after": "99999"}), False, 86_400),
    "more digits than a day has": (httpx.Response(503, headers={"retry-after": "9" * 5_000}), False, None),
    "at a date": (httpx.Response(503, headers={"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}), False, None),
    "no connection": (httpx.ConnectError("refused"), False, None),
    "no answer in time": (httpx.ReadTimeout("late"), False, None),
}


@pytest.mark.parametrize(("answer", "is_permanent", "retry_after_s"), REFUSALS.values(), ids=REFUSALS)
async def test_anything_but_2xx_is_a_failure(
    answer: httpx.Response | Exception, is_permanent: bool, retry_after_s: int | None
) -> None:
    seen: list[httpx.Request] = []
    with pytest.raises(DeliveryError) as raised:
        await Webhook(URL, SECRET, client=client(answer, seen)).notify(notice())

    assert (raised.value.is_permanent, raised.value.retry_after_s) == (is_permanent, retry_after_s)
    assert len(seen) == 1  # no redirect was followed
    assert "secret-path" not in str(raised.value)


async def test_it_posts_over_a_real_socket_and_reads_nothing_but_the_status() -> None:
    received, closed = list[bytes](), asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\nthe rest never comes")
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(receive, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await Webhook(f"http://127.0.0.1:{port}/hook", SECRET).notify(notice())
        await closed.wait()
    assert received[0].startswith(b"POST /hook HTTP/1.1\r\n")


async def test_a_receiver_that_says_nothing_is_not_waited_for() -> None:
    heard: list[asyncio.Task[None] | None] = []  # nobody, where the time was over before it had connected

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(asyncio.current_task())
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(receive, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DeliveryError):
            await Webhook(f"http://localhost:{port}", SECRET, timeout_s=0.05).notify(notice())
        await asyncio.gather(*filter(None, heard))


ADDRESSES = {
    "plain text elsewhere": "http://hooks.example.com/secret-path",
    "a name that begins like this machine's": "http://localhost.example.com/secret-path",
    "another scheme": "file:///secret-path",
    "no host": "https:///secret-path",
    "nothing": "",
    "a user": "https://joe@hooks.example.com/secret-path",
    "a user and a password": "https://joe:secret-path@hooks.example.com/",
    "a fragment": "https://hooks.example.com/#secret-path",
    "a line break": "https://hooks.example.com/\nsecret-path",
    "half an address": "https://[::1/secret-path",
}


@pytest.mark.parametrize("url", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_is_not_private_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Webhook(url, SECRET)
    assert "secret-path" not in str(raised.value)


SECRETS = {"none": (), "empty": "", "short": "c2hvcnQ=", "no base64": "ä" * 40, "long": "A" * 100}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Webhook(URL, secret)
    assert not secret or str(secret) not in str(raised.value)
