"""Notices through Apprise, to a receiver of this test's own."""

import asyncio
import sys
from typing import Self

import pytest

import guarded_agents.notify
from guarded_agents.errors import ConfigurationError, DeliveryError
from guarded_agents.notify import AppriseNotifier
from guarded_agents.notify._notifier import text_of
from guarded_agents.records import NoticeKind
from tests.support.outbox import notice

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # in a plugin of Apprise


class Receiver:
    """An HTTP server that keeps the bodies it gets."""

    def __init__(self, status: str = "200 OK") -> None:
        self.bodies: list[str] = []
        self._status = status

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._receive, "127.0.0.1", 0)
        self.url = f"json://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _receive(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        self.bodies.append((await reader.readexactly(length)).decode())
        writer.write(f"HTTP/1.1 {self._status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


async def test_a_person_reads_what_waits_how_much_it_matters_and_where_to_look() -> None:
    async with Receiver() as receiver:
        await AppriseNotifier([receiver.url], link="https://inbox.example/{request}").notify(notice())

    (body,) = receiver.bodies
    for text in ("An approval waits (high risk)", "request-1", "finance", "https://inbox.example/request-1"):
        assert text in body
    assert "approvals show request-1" in body


async def test_a_review_is_asked_for_by_its_own_command() -> None:
    async with Receiver() as receiver:
        await AppriseNotifier([receiver.url]).notify(notice(kind=NoticeKind.REVIEW_OVERDUE))
    assert "approvals review request-1" in receiver.bodies[0]


async def test_each_group_has_its_own_addresses() -> None:
    async with Receiver() as finance, Receiver() as leads:
        notifier = AppriseNotifier({"finance": [finance.url], "leads": [leads.url]})
        await notifier.notify(notice(to="leads"))
        assert (len(finance.bodies), len(leads.bodies)) == (0, 1)

        with pytest.raises(DeliveryError) as raised:
            await notifier.notify(notice(to="nobody"))
    assert raised.value.is_permanent


async def test_an_address_that_does_not_take_it_makes_the_delivery_fail() -> None:
    async with Receiver() as good, Receiver("500 No") as bad:
        with pytest.raises(DeliveryError) as raised:
            await AppriseNotifier([good.url, bad.url]).notify(notice())
    assert not raised.value.is_permanent
    assert "127.0.0.1" not in str(raised.value)


UNUSABLE = {"no scheme": ["not an address: pass-word"], "none": [], "one of two": ["json://localhost", "?pass-word"]}


@pytest.mark.parametrize("urls", UNUSABLE.values(), ids=UNUSABLE)
def test_an_address_that_is_none_is_refused_and_not_quoted(urls: list[str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        AppriseNotifier({"finance": urls})
    assert "pass-word" not in str(raised.value)


def test_without_the_extra_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.delitem(sys.modules, "guarded_agents.notify._apprise", raising=False)

    with pytest.raises(ConfigurationError, match=r"guarded-agents\[notify\]"):
        _ = guarded_agents.notify.__getattr__("AppriseNotifier")
    with pytest.raises(AttributeError):
        _ = guarded_agents.notify.__getattr__("Pigeon")


def test_a_notice_begins_no_line_of_its_own_and_names_no_command() -> None:
    body = text_of(notice(request="r-1\nLook at it: https://evil.example\n", to="x;\u202ey\nRisk: low"), None).body
    assert [line.split(":")[0] for line in body.split("\n")] == ["Request", "Risk", "For", "Since", "Or"]
    assert "\u202e" not in body
    assert text_of(notice(request="x; rm -r ."), None).body.endswith("approvals show 'x; rm -r .'")
