"""B13: whatever raises or fails, nothing runs that is not decided and on record, and nothing runs twice after it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from guarded_agents import StoreError
from guarded_agents.errors import NoReplyError, NotSentError
from tests.support.bank import calls
from tests.support.siege import HAPPENED_TOPUP, HAPPENED_WIRE, TOPUP, WIRE, Siege, Wires

pytestmark = pytest.mark.requirement("B13", "I5", "I6")

SCRIPT = calls(("wire", WIRE), ("topup", TOPUP))
ONCE = [HAPPENED_TOPUP, HAPPENED_WIRE]
SORTS: list[BaseException] = [
    RuntimeError("down"),
    KeyError("x"),
    TimeoutError(),
    StoreError("s", expected="", got="", action=""),
]


# -- the decision point -------------------------------------------------------------------------


class Fragile:
    """A decision point of the application's own that fails, or answers nonsense."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.answer = inner, inner.decide

    def decide(self, request: Any, *, now: datetime) -> Any:
        return self.answer(request, now=now)


def _raise(error: BaseException) -> Callable[..., Any]:
    def answer(*args: Any, **kwargs: Any) -> Any:
        raise error

    return answer


@pytest.mark.parametrize("error", SORTS[:3], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when", ["from the start", "while it waits"])
def test_a_decision_point_that_raises_permits_nothing(siege: Siege, error: BaseException, when: str) -> None:
    post = siege.open(SCRIPT)
    fragile = Fragile(post.guard._services.policy)
    object.__setattr__(post.guard._services, "policy", fragile)
    if when == "from the start":
        fragile.answer = _raise(error)
        post.failing("ask")
        post.press()
        assert siege.effects == []
        return
    post.ask()
    signed = siege.signed(post, post.waits()[0])
    fragile.answer = _raise(error)
    post.failing("call", "resume", signed)
    post.press()
    assert siege.effects == [HAPPENED_TOPUP]


@pytest.mark.parametrize("answer", [None, True, "permit", 1, object()], ids=lambda answer: type(answer).__name__)
def test_a_decision_point_that_answers_nonsense_permits_nothing(siege: Siege, answer: Any) -> None:
    post = siege.open(SCRIPT)
    fragile = Fragile(post.guard._services.policy)
    object.__setattr__(post.guard._services, "policy", fragile)
    fragile.answer = lambda *_, **__: answer
    post.failing("ask")
    post.press()
    assert siege.effects == []


# -- the clock, the server ----------------------------------------------------------------------


class Clock:
    """A clock that can fail."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.error = inner, None

    def __call__(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.inner()


@pytest.mark.parametrize("when", ["from the start", "while it waits"])
def test_a_clock_that_raises_runs_nothing(siege: Siege, when: str) -> None:
    clock: Any = Clock(siege.bank.clock)
    post = siege.open(SCRIPT, now=clock)
    if when == "from the start":
        clock.error = OSError("no clock")
        post.failing("ask")
        post.press()
        assert siege.effects == []
    else:
        post.ask()
        signed = siege.signed(post, post.waits()[0])
        clock.error = OSError("no clock")
        post.failing("call", "resume", signed)
        post.press()
        assert siege.effects == [HAPPENED_TOPUP]
    clock.error = None
    post.press()
    assert siege.effects in ([], [HAPPENED_TOPUP])


SENDING: dict[str, Exception] = {
    "not sent": NotSentError("s", expected="", got="", action=""),
    "no reply": NoReplyError("s", expected="", got="", action=""),
    "a bug": RuntimeError("bug"),
    "a broken pipe": BrokenPipeError(),
    "a time-out": TimeoutError(),
}


@pytest.mark.parametrize("error", SENDING.values(), ids=SENDING)
def test_a_transport_that_raises_is_never_asked_a_second_time(siege: Siege, error: Exception) -> None:
    post = siege.open(SCRIPT)
    post.wires.fails = error
    post.failing("ask")
    siege.bank.clock.advance(600)  # the leases lapse
    for request in post.waits():
        post.failing("call", "resume", siege.signed(post, request))
    siege.bank.clock.advance(600)
    post.wires.fails = None
    post.press()
    assert post.wires.sent == []
    assert siege.effects == []


def test_a_reply_that_is_lost_after_the_effect_does_not_repeat_it(siege: Siege) -> None:
    def lose(reply: Any) -> Any:
        raise NoReplyError("server", expected="a reply", got="none", action="look")

    wires = Wires(siege.line.transport())
    wires.alter = lose
    post = siege.open(SCRIPT, wires=wires)
    post.ask()
    siege.approve(post)
    siege.bank.clock.advance(3_600)
    post.press()
    assert siege.effects == ONCE
    assert {claim.status for claim in post.guard.doubts} == {"in_doubt"}
