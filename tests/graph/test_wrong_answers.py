"""Wrong answers of every kind: an error says what was wrong, the request waits on, nothing is started (I7)."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.types import Command
from pydantic import ValidationError

from guarded_agents import (
    Answer,
    ApprovalError,
    GuardError,
    NotEligibleError,
    ProofError,
    RequestClosedError,
    Scheme,
    SignedVote,
    UnknownRequestError,
    Vote,
    sign,
)
from guarded_agents.approval import ResumeAnswer
from tests.support.bank import ANA, CONTEXT, NOON, RAJ, asked, calls, thread, waiting
from tests.support.ledger import KEYS, Desk, at_desk

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
HUGE = "x" * 10_000_000
pytestmark = [pytest.mark.requirement("I7"), pytest.mark.requirement("I6"), pytest.mark.requirement("B9")]


class Asking:
    """A desk with one call that waits; ``models`` counts how often the model is called."""

    def __init__(self, desk: Desk, models: list[int]) -> None:
        self.desk, self.models, self.request = desk, models, ""

    async def begin(self) -> str:
        await self.desk.ask()
        [self.request] = await self.desk.waiting()
        self.before = (len(self.models), await self.desk.state())
        return self.request

    async def assert_nothing_was_started(self) -> None:
        models, state = self.before
        now = await self.desk.state()
        assert self.desk.server.sent == []
        assert len(self.models) == models
        assert self.desk.guard.store.request(self.request).status == "pending"
        assert self.desk.guard.store.votes(self.request) == ()
        assert now.next == state.next
        assert [found.value["request_id"] for found in now.interrupts] == [self.request]

    async def assert_it_can_be_corrected(self) -> None:
        await self.desk.approve(self.request)
        assert self.desk.server.effects == [("wire", 900)]


async def asking(folder: Path, stack: Any) -> Asking:
    models: list[int] = []

    def propose(_: Any) -> AIMessage:
        models.append(1)
        return calls(WIRE)

    desk = await stack.enter_async_context(at_desk(folder, propose))
    found = Asking(desk, models)
    await found.begin()
    return found


def vote(desk: Desk, request_id: str, **changes: Any) -> SignedVote:
    prepared = desk.guard.prepare(request_id, Answer.APPROVE, approver=ANA)
    return sign(Vote.model_validate(prepared.model_dump() | changes), KEYS[ANA])


def altered(signed: SignedVote, **changes: Any) -> SignedVote:
    return SignedVote.model_validate(signed.model_dump() | changes)


WRONG: dict[str, tuple[Any, type[ApprovalError], str]] = {
    "an unknown id": (lambda d, r: vote(d, r, request="0" * 12), UnknownRequestError, "not in the store"),
    "an empty id": (lambda d, r: vote(d, r, request=""), UnknownRequestError, "not in the store"),
    "an id of 10 MB": (
        lambda d, r: altered(vote(d, r), vote=vote(d, r).vote.model_copy(update={"request": HUGE}).model_dump()),
        ProofError,
        "characters",
    ),
    "nothing": (lambda d, r: None, ProofError, "NoneType"),
    "False": (lambda d, r: False, ProofError, "bool"),
    "a list": (lambda d, r: [], ProofError, "list"),
    "a text": (lambda d, r: "approve", ProofError, "str"),
    "its JSON": (lambda d, r: vote(d, r).model_dump(mode="json"), ProofError, "dict"),
    "an unsigned vote": (lambda d, r: vote(d, r).vote, ProofError, "Vote"),
    "an empty signature": (lambda d, r: altered(vote(d, r), signature=""), ProofError, "64 bytes"),
    "a signature of 10 MB": (lambda d, r: altered(vote(d, r), signature=HUGE), ProofError, "characters"),
    "a text of 10 MB": (lambda d, r: vote(d, r, text=HUGE), ProofError, "characters"),
    "a text of 10 kB": (lambda d, r: vote(d, r, text="x" * 10_000), ApprovalError, "at most 4,000"),
    "an approver of 10 kB": (lambda d, r: vote(d, r, approver="x" * 10_000), ProofError, "signers file"),
    "another digest": (lambda d, r: vote(d, r, digest="0" * 64), ProofError, "digest"),
    "no digest": (lambda d, r: vote(d, r, digest=""), ProofError, "digest"),
    "a future time": (lambda d, r: vote(d, r, at=NOON + timedelta(seconds=301)), ProofError, "future"),
    "a past time": (lambda d, r: vote(d, r, at=NOON - timedelta(seconds=1)), ProofError, "older"),
    "no nonce": (lambda d, r: vote(d, r, nonce=""), ApprovalError, "nonce"),
    "a scheme that is not set up": (lambda d, r: altered(vote(d, r), scheme=Scheme.OIDC), ProofError, "scheme"),
    "an emergency without terms": (lambda d, r: d.signed(r, Answer.BREAK_GLASS, text="x" * 40), ApprovalError, "break"),
    "a delegation to nobody": (lambda d, r: vote(d, r, answer=Answer.DELEGATE), ApprovalError, "delegate"),
    "a delegate beside an approval": (lambda d, r: vote(d, r, delegate=RAJ), ApprovalError, "delegate"),
}


@pytest.mark.parametrize(("make", "error", "says"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("way", ["vote", "resume"])
async def test_the_facade_says_what_was_wrong(
    tmp_path: Path, way: str, make: Any, error: type[ApprovalError], says: str
) -> None:
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        found = await asking(tmp_path, stack)
        desk, bad = found.desk, make(found.desk, found.request)
        with pytest.raises(error, match=f"(?i){says}") as raised:
            await (desk.guard.vote(bad) if way == "vote" else desk.guard.resume(desk.agent, bad))
        assert len(str(raised.value)) < 1_000
        await found.assert_nothing_was_started()
        await found.assert_it_can_be_corrected()


STRAY: dict[str, Any] = {
    "nothing": None,
    "False": False,
    "True": True,
    "an empty text": "",
    "an empty object": {},
    "a list": [],
    "a list of decisions": [{"type": "approve"}],
    "LangChain's answer": {"decisions": [{"type": "approve"}]},
    "10 MB": HUGE,
    "an object of 10 MB": {"vote": HUGE, "signature": "x"},
    "a number": 1,
}


@pytest.mark.requirement("G9")
@pytest.mark.parametrize("value", STRAY.values(), ids=STRAY)
async def test_a_resume_value_that_is_no_vote_starts_nothing(tmp_path: Path, value: Any) -> None:
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        found = await asking(tmp_path, stack)
        # UnboundLocalError is what LangGraph 1.2 answers to None.
        with suppress(ValidationError, ValueError, RuntimeError, UnboundLocalError):
            await found.desk.agent.ainvoke(Command(resume=value), found.desk.config)
        await found.assert_nothing_was_started()
        await found.assert_it_can_be_corrected()


SIGNED = {
    name: case
    for name, case in WRONG.items()
    if name not in ("nothing", "False", "a list", "a text", "its JSON", "an unsigned vote")
}


@pytest.mark.requirement("G9")
@pytest.mark.parametrize(("make", "_error", "_says"), SIGNED.values(), ids=SIGNED)
async def test_a_signed_vote_that_does_not_count_starts_nothing_as_a_resume_value(
    tmp_path: Path, make: Any, _error: Any, _says: str
) -> None:
    from contextlib import AsyncExitStack

    async with AsyncExitStack() as stack:
        found = await asking(tmp_path, stack)
        bad = make(found.desk, found.request)
        with suppress(ValidationError):
            await found.desk.agent.ainvoke(Command(resume=bad.model_dump(mode="json")), found.desk.config)
        await found.assert_nothing_was_started()
        await found.assert_it_can_be_corrected()


async def test_the_interrupt_says_why_the_last_answer_did_not_count(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        bad = vote(desk, request, at=NOON + timedelta(hours=1))
        await desk.agent.ainvoke(Command(resume=bad.model_dump(mode="json")), desk.config)
        [interrupt] = (await desk.state()).interrupts
        assert "the last answer did not count" in interrupt.value["how_to_answer"]
        assert "future" in interrupt.value["how_to_answer"]


async def test_an_id_token_is_no_resume_value(tmp_path: Path) -> None:
    """LangGraph saves it before anybody looks at it, so all that can be done is to say so and to take none (I10)."""
    said = " ".join(str(ResumeAnswer.__doc__).split())
    assert "never send an ID token, or anything secret, as a resume value" in said
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        token = altered(vote(desk, request), scheme=Scheme.OIDC, signature="e30.e30.x")
        for value in (
            token.model_dump(mode="json"),
            {"vote": token.model_dump(mode="json")["vote"], "signature": "e30.e30.x"},
        ):
            with suppress(ValidationError):
                await desk.agent.ainvoke(Command(resume=value), desk.config)
        assert desk.guard.store.request(request).status == "pending"
        assert desk.server.sent == []


async def test_a_nonce_that_was_used_is_used_up(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [first] = await desk.waiting()
        spent = vote(desk, first)
        await desk.guard.resume(desk.agent, spent)
        await desk.ask("once more")
        [request] = await desk.waiting()
        for bad in (spent, vote(desk, request, nonce=spent.vote.nonce)):
            for take in (desk.guard.vote, lambda signed: desk.guard.resume(desk.agent, signed)):
                with pytest.raises(ApprovalError):
                    await take(bad)
        await desk.agent.ainvoke(
            Command(resume=vote(desk, request, nonce=spent.vote.nonce).model_dump(mode="json")), desk.config
        )
        assert desk.guard.store.request(request).status == "pending"
        assert len(desk.server.sent) == 1
        await desk.approve(request)
        assert len(desk.server.sent) == 2


async def test_a_thread_that_is_finished_takes_no_answer(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        late = vote(desk, request)
        await desk.approve(request, approver=RAJ)
        before = await desk.state()
        assert before.next == ()
        with pytest.raises(RequestClosedError, match="consumed"):
            await desk.guard.vote(late)
        with pytest.raises(UnknownRequestError, match="thread"):
            await desk.guard.resume(desk.agent, late)
        with suppress(ValueError, RuntimeError):
            await desk.agent.ainvoke(Command(resume=late.model_dump(mode="json")), desk.config)
        assert len(desk.server.sent) == 1
        assert (await desk.state()).values["messages"] == before.values["messages"]


async def test_a_thread_that_never_was_is_not_begun(tmp_path: Path) -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    from tests.support.bank import model

    async with at_desk(tmp_path, calls(WIRE)) as desk:
        await desk.ask()
        [request] = await desk.waiting()
        elsewhere = desk.guard.agent(model(calls(WIRE)), checkpointer=InMemorySaver())
        with pytest.raises(UnknownRequestError, match="thread"):
            await desk.guard.resume(elsewhere, vote(desk, request))
        assert (await elsewhere.aget_state(desk.config)).values == {}
        with suppress(GuardError, ValueError, RuntimeError, KeyError):
            await desk.agent.ainvoke(Command(resume=vote(desk, request).model_dump(mode="json")), thread("never"))
        assert waiting(await desk.agent.aget_state(thread("never"))) == []
        assert desk.guard.store.request(request).status == "pending"
        assert desk.server.sent == []


async def test_two_votes_of_one_person_that_say_otherwise_are_not_both_taken(tmp_path: Path) -> None:
    from tests.support.people import TWO

    async with at_desk(tmp_path, calls(WIRE), policy=TWO) as desk:
        await desk.agent.ainvoke(asked(), desk.config, context=CONTEXT)
        [request] = await desk.waiting()
        await desk.guard.vote(vote(desk, request))
        with pytest.raises(NotEligibleError):
            await desk.guard.vote(vote(desk, request, answer=Answer.REJECT))
        assert desk.guard.store.request(request).status == "pending"
