"""Every write of a store, each over what `prepare` leaves, where it changes something."""

from collections.abc import Awaitable, Callable

from guarded_agents.audit import KeySigner, parse_note
from guarded_agents.records import QUOTED, UNEXPOSED, Answer, Notice, NoticeKind, PlanExtension, Risk
from guarded_agents.records import SignedPlanExtension as Signed
from guarded_agents.stores import Kept, SeenMessage, Wake
from tests.support.store_desk import Desk
from tests.support.stores import (
    GLASS,
    HOLDERS,
    HOUR,
    MINUTE,
    NOTE,
    TEN,
    alone,
    broken,
    nonce_of,
    proposal,
    request,
    resolution,
    review,
    vote,
)

SIGNER = KeySigner("desk", b"1" * 32)


async def prepare(desk: Desk) -> None:
    """Leave something of every kind."""
    await desk.enter()
    await desk.ask(request(alone("a"), backup="leads", escalate_at=TEN))
    await desk.ask(request(alone("b")))
    await desk.vote(broken(request(alone("b"))), holders=HOLDERS, glass=GLASS)
    await desk.propose(proposal(alone("new")))
    await desk.propose(proposal(alone("sent")))
    await desk.admit(alone("sent"))
    await desk.store.take_wake(owner="worker", until=TEN + MINUTE, now=TEN)


async def _retry(desk: Desk) -> object:
    until, now = TEN + 2 * HOUR, TEN + HOUR
    return await desk.store.retry(alone("sent"), owner="other", attempt=1, lease_until=until, proven=None, now=now)


async def _extend_plan(desk: Desk) -> None:
    said = PlanExtension(thread="thread", tool="payments/refund", approver="ana", at=TEN, nonce=nonce_of("extend"))
    await desk.store.extend_plan(Signed(extension=said, signature="ana's"), "entry", note=NOTE, now=TEN)


async def _noticed(desk: Desk) -> None:
    (name,) = desk.store._reader.execute("SELECT id FROM notices ORDER BY number").fetchone()
    notice = Notice(name, NoticeKind.ASKED, "r-a", Risk.MEDIUM, "finance", TEN)
    await desk.store.noticed(notice, again_at=None)


async def _see(desk: Desk) -> None:
    desk.store.see("thread", SeenMessage("d1", UNEXPOSED, "tool-1", "bank/see", {"name": "Beta"}))


async def _keep(desk: Desk) -> None:
    desk.store.keep("thread", Kept("tool-1", {"[[iban:aaaaaaaaaaaaaaaa]]": "DE89"}))


async def _note(desk: Desk) -> None:
    desk.store.note([NOTE], now=TEN)


async def _rotate_key(desk: Desk) -> None:
    await desk.store.sign_with(SIGNER, [NOTE], now=TEN)
    await desk.store.rotate_key(KeySigner("desk", b"2" * 32), NOTE, now=TEN)


async def _keep_head(desk: Desk) -> None:
    await desk.store.sign_with(SIGNER, [NOTE], now=TEN)
    await desk.store.keep_head(parse_note(desk.store.signed_head() or b""))


WRITES: dict[str, Callable[[Desk], Awaitable[object]]] = {
    "open_entry": lambda desk: desk.enter("second"),
    "propose": lambda desk: desk.propose(proposal(alone("more"))),
    "hold": lambda desk: desk.hold(request(alone("new"))),
    "vote": lambda desk: desk.vote(vote(request(alone("a")))),
    "vote: delegate": lambda desk: desk.vote(vote(request(alone("a")), "ana", Answer.DELEGATE, delegate="raj")),
    "vote: break glass": lambda desk: desk.vote(broken(request(alone("a"))), holders=HOLDERS, glass=GLASS),
    "admit": lambda desk: desk.admit(alone("new")),
    "retry": _retry,
    "settle": lambda desk: desk.settle(of=alone("sent")),
    "refuse": lambda desk: desk.refuse(alone("new")),
    "expire": lambda desk: desk.store.expire("r-a", now=TEN + 3 * HOUR),
    "withdraw": lambda desk: desk.store.withdraw("thread", now=TEN),
    "sweep": lambda desk: desk.store.sweep(now=TEN + 3 * HOUR),
    "resolve": lambda desk: desk.store.resolve(resolution(), alone("sent"), note=NOTE, now=TEN + HOUR),
    "review": lambda desk: desk.store.review(review("r-b"), note=NOTE, now=TEN),
    "pin": lambda desk: desk.store.pin("thread", "entry", ["payments/refund"], note=NOTE, now=TEN),
    "extend_plan": _extend_plan,
    "take_wake": lambda desk: desk.store.take_wake(owner="other", until=TEN + HOUR, now=TEN + 2 * MINUTE),
    "woken": lambda desk: desk.store.woken("thread", owner="worker", again_at=TEN + HOUR),
    "give_back": lambda desk: desk.store.give_back(Wake("thread"), owner="worker", now=TEN),
    "take_notices": lambda desk: desk.store.take_notices(owner="worker", limit=1, until=TEN + HOUR, now=TEN + MINUTE),
    "noticed": _noticed,
    "relabel": lambda desk: desk.store.relabel("thread", QUOTED),
    "see": _see,
    "keep": _keep,
    "append": lambda desk: desk.store.append([NOTE], now=TEN),
    "note": _note,
    "sign_with": lambda desk: desk.store.sign_with(SIGNER, [NOTE], now=TEN),
    "rotate_key": _rotate_key,
    "keep_head": _keep_head,
}
"""By method, and behind a colon what is particular. Each one is done when it, or the closing after it, returns."""
