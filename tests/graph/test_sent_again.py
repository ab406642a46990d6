"""An idempotent call is sent again only while what people agreed to still lets it be sent (DESIGN 8b.1, 8b.4)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guarded_agents import Answer
from guarded_agents.errors import DirectoryError, NoReplyError
from guarded_agents.transport import ToolReply
from tests.support.bank import CONTEXT, EVE, POLICY, RAJ, calls
from tests.support.ledger import Desk, Ledger, Sent, at_desk
from tests.support.people import EXTERNAL, GLASS, Phonebook

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
OF_WIRE = "    effect: write\n    result: {integrity: trusted, confidentiality: internal}\n    permit_when: 0 <"
AGAIN = OF_WIRE.replace("effect: write\n", "effect: write\n    idempotent: true\n")
EXECUTE_WITHIN_S = 15 * 60
WHY = "the payment run closes at noon and nobody answers"
pytestmark = pytest.mark.requirement("I4", "I7")


class Unreached(Ledger):
    """A server that nothing arrives at while its network is down, though nobody here can tell."""

    is_down = True

    async def call(self, *args: Any, **more: Any) -> ToolReply:
        if self.is_down:
            raise NoReplyError("bank", expected="a reply", got="none", action="look")
        return await super().call(*args, **more)


async def in_doubt(desk: Desk, answer: Answer = Answer.APPROVE, **more: Any) -> Unreached:
    await desk.ask()
    [request] = await desk.waiting()
    await desk.approve(request, answer, **more)
    server = desk.server
    assert isinstance(server, Unreached)
    assert [claim.status for claim in desk.guard.doubts] == ["in_doubt"]
    assert server.sent == []
    server.is_down = False
    return server


async def replayed(desk: Desk) -> str:
    """Go on from where the call was approved, and return what the model is told then."""
    held = [found.config async for found in desk.agent.aget_state_history(desk.config) if found.next == ("approval",)]
    result = await desk.agent.ainvoke(None, held[-1])
    return str([message.content for message in result["messages"] if message.type == "tool"])


def too_late(desk: Desk, book: Phonebook) -> None:
    desk.bank.clock.advance(EXECUTE_WITHIN_S)


def nobody_agrees(desk: Desk, book: Phonebook) -> None:
    book.groups = {"finance": frozenset({RAJ})}  # who approved it has left


def nobody_can_tell(desk: Desk, book: Phonebook) -> None:
    book.fails = DirectoryError("directory", expected="an answer", got="none", action="try again")


ENDS: dict[str, Callable[[Desk, Phonebook], None]] = {
    "send-within has passed": too_late,
    "the approver left": nobody_agrees,
    "the directory does not answer": nobody_can_tell,
}


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
async def test_what_was_approved_is_not_sent_again_once_that_ends(
    tmp_path: Path, ends: Callable[[Desk, Phonebook], None]
) -> None:
    book = Phonebook()
    policy = EXTERNAL.replace(OF_WIRE, AGAIN)
    async with at_desk(tmp_path, calls(WIRE), policy=policy, server=Unreached(), directory=book) as desk:
        server = await in_doubt(desk)
        ends(desk, book)
        for _ in range(2):
            assert "It may still happen" in await replayed(desk)
        assert server.sent == []
        assert [(claim.status, claim.attempt) for claim in desk.guard.doubts] == [("in_doubt", 1)]


async def test_what_was_approved_is_sent_again_until_then(tmp_path: Path) -> None:
    book = Phonebook()
    policy = EXTERNAL.replace(OF_WIRE, AGAIN)
    async with at_desk(tmp_path, calls(WIRE), policy=policy, server=Unreached(), directory=book) as desk:
        server = await in_doubt(desk)
        desk.bank.clock.advance(EXECUTE_WITHIN_S - 1)
        await replayed(desk)
        assert server.effects == [("wire", 900)]
        assert desk.guard.doubts == ()


async def test_what_one_person_let_through_is_not_sent_again_after_its_short_time(tmp_path: Path) -> None:
    policy = GLASS.replace(OF_WIRE, AGAIN)
    async with at_desk(tmp_path, calls(WIRE), policy=policy, server=Unreached()) as desk:
        server = await in_doubt(desk, Answer.BREAK_GLASS, approver=EVE, text=WHY)
        desk.bank.clock.advance(5 * 60)
        await replayed(desk)
        assert server.sent == []


async def test_a_call_that_nobody_has_to_approve_is_sent_again_whenever_it_is_asked_for(tmp_path: Path) -> None:
    policy = POLICY.replace(OF_WIRE, AGAIN)
    policy = "\n".join(line for line in policy.split("\n") if "approvers: finance" not in line)
    async with at_desk(tmp_path, calls(WIRE), policy=policy, server=Ledger(reply=silence)) as desk:
        await desk.ask()
        assert [claim.status for claim in desk.guard.doubts] == ["in_doubt"]
        desk.bank.clock.advance(30 * 86_400)
        desk.server.reply = Ledger().reply
        first = [found.config async for found in desk.agent.aget_state_history(desk.config)][-1]
        await desk.agent.ainvoke(None, first, context=CONTEXT)
        assert desk.server.effects == [("wire", 900)] * 2
        assert desk.guard.doubts == ()


def silence(sent: Sent) -> ToolReply:
    raise NoReplyError("bank", expected="a reply", got="none", action="look")
