"""The doctor: whatever a crash or a lost file left behind is found, and repaired where no person is needed."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, StateGraph

from guarded_agents import Answer, AssemblyError, GuardedState
from guarded_agents.approval import doubt_id
from guarded_agents.errors import ApprovalError, NoReplyError, StoreError
from guarded_agents.operations import Ailment, AilmentKind, Repaired, diagnose, repair
from guarded_agents.records import BrokenGlass, Claim, ClaimStatus, Reason, RequestStatus, Verdict
from guarded_agents.stores import being_sent
from tests.support.bank import NOON, RAJ, calls, model, thread
from tests.support.ledger import Desk, Ledger, at_desk

WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
OTHER = ("wire", {"account": "EVE", "amount_cents": 100})
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


async def found(desk: Desk, now: datetime | None = None, **more: Any) -> list[tuple[AilmentKind, str, str | None]]:
    """Return kind, subject and thread of what is wrong, by default ten minutes from now."""
    now = now or desk.guard.now() + timedelta(minutes=10)
    ailments = await diagnose(desk.guard, more.pop("agent", desk.agent), now=now, **more)
    return [(ailment.kind, ailment.subject, ailment.thread) for ailment in ailments]


async def repaired(desk: Desk, now: datetime | None = None) -> Repaired:
    now = now or desk.guard.now() + timedelta(minutes=10)
    return await repair(desk.guard, desk.agent, await diagnose(desk.guard, desk.agent, now=now))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_desk(tmp_path, calls(WIRE)) as opened:
        yield opened


def test_every_kind_that_is_not_repaired_is_for_people() -> None:
    assert [kind for kind in AilmentKind if not kind.is_repairable] == [
        AilmentKind.LOG_BROKEN,
        AilmentKind.CONFLICT,
        AilmentKind.IN_DOUBT,
        AilmentKind.REVIEW_OVERDUE,
        AilmentKind.UNKNOWN_THREAD,
        AilmentKind.UNREADABLE,
        AilmentKind.NOTICE_STUCK,
        AilmentKind.NOT_LOOKED_AT,
    ]


async def test_nothing_is_wrong_with_threads_that_wait_run_or_have_ended(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE, OTHER)) as desk:
        assert await found(desk) == []
        await desk.ask()
        assert await found(desk) == []
        first, second = await desk.waiting()
        await desk.approve(first)
        assert await found(desk) == []
        await desk.approve(second, Answer.REJECT)
        assert await found(desk) == []
        assert await found(desk, agent=None) == []
        assert await repaired(desk) == Repaired()


async def test_a_thread_that_waits_for_the_request_that_an_edit_replaced_is_well(desk: Desk) -> None:
    request = await desk.held()
    edit = desk.signed(request, Answer.EDIT, arguments={"account": "ACME", "amount_cents": 800})
    await desk.guard.vote(edit)

    assert await desk.waiting() == [request]
    assert await found(desk) == []


async def test_a_thread_whose_edited_request_is_lost_is_to_be_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    request, read = await desk.held(), desk.guard.store.request
    await desk.guard.vote(desk.signed(request, Answer.EDIT, arguments={"account": "ACME", "amount_cents": 800}))
    monkeypatch.setattr(desk.guard.store, "request", lambda name: read(name) if name == request else None)

    assert await found(desk) == [(AilmentKind.NOT_TOLD, request, "t1")]


async def test_a_thread_whose_request_is_lost_is_woken_and_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    request = await desk.held()
    store = desk.guard.store
    await desk.guard.cancel("t1")  # the store of a backup: the row is gone, and so is what was proposed
    for read in ("request", "request_of", "proposal"):
        monkeypatch.setattr(store, read, lambda *_: None)

    assert await found(desk) == [(AilmentKind.THREAD_WITHOUT_ROW, request, "t1")]
    assert await repaired(desk) == Repaired(woken=("t1",))
    assert ((await desk.state()).next, desk.server.effects) == ((), [])
    assert await found(desk) == []


async def test_a_thread_that_waits_because_the_store_failed_is_woken(desk: Desk) -> None:
    request, store = await desk.held(), desk.guard.store

    def fails(*_: Any) -> None:
        raise StoreError("store", expected="a disk", got="none", action="repair it")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(store, "request_of", fails)
        await desk.wake()
    assert (AilmentKind.THREAD_WITHOUT_ROW, "t1", "t1") in await found(desk)
    assert (await repaired(desk)).woken == ("t1",)
    assert await desk.waiting() == [request]
    assert await found(desk) == []


async def test_a_request_whose_thread_was_written_to_its_end_is_withdrawn(desk: Desk) -> None:
    request = await desk.held()
    await desk.agent.aupdate_state(desk.config, None, as_node=END)

    assert await found(desk, now=desk.guard.now()) == []  # it may be under way
    assert await found(desk) == [(AilmentKind.ROW_WITHOUT_THREAD, request, "t1")]
    assert await repaired(desk) == Repaired(withdrawn=(request,))
    standing = desk.guard.store.request(request)
    assert standing is not None
    assert standing.status is RequestStatus.WITHDRAWN
    assert await found(desk) == []


@pytest.mark.parametrize("status", [RequestStatus.PENDING, RequestStatus.APPROVED, RequestStatus.EXPIRED])
async def test_a_request_whose_thread_the_checkpointer_does_not_know_is_left_alone(
    desk: Desk, status: RequestStatus
) -> None:
    """A mistyped --graph, or two applications on one store: each knows its own threads."""
    request = await desk.held()
    if status is RequestStatus.APPROVED:
        await desk.guard.vote(desk.signed(request))
    desk.bank.clock.advance(5 * 3_600 if status is RequestStatus.EXPIRED else 120)
    elsewhere = desk.guard.agent(model(), checkpointer=InMemorySaver())

    ailments = await diagnose(desk.guard, elsewhere, now=desk.guard.now())
    assert (AilmentKind.UNKNOWN_THREAD, request) in [(ailment.kind, ailment.subject) for ailment in ailments]
    done = await repair(desk.guard, elsewhere, ailments)
    assert (done.withdrawn, done.woken, done.failed) == ((), (), ())
    standing = desk.guard.store.request(request)
    assert standing is not None
    assert standing.status is status  # that a request is past its time, no thread has to tell
    assert [kind for kind, *_ in await found(desk, agent=elsewhere)] == [AilmentKind.UNKNOWN_THREAD]


async def test_what_was_asked_since_the_diagnosis_is_not_withdrawn(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE), calls(OTHER)) as desk:
        first = await desk.held()
        await desk.agent.aupdate_state(desk.config, None, as_node=END)
        now = desk.guard.now() + timedelta(minutes=10)
        ailments = await diagnose(desk.guard, desk.agent, now=now)
        assert [(ailment.kind, ailment.subject) for ailment in ailments] == [(AilmentKind.ROW_WITHOUT_THREAD, first)]
        second = await desk.held()

        assert await repair(desk.guard, desk.agent, ailments) == Repaired(left=("t1",))
        standing = desk.guard.store.request(second)
        assert standing is not None
        assert standing.status is RequestStatus.PENDING


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT])
async def test_what_was_answered_since_the_diagnosis_is_not_withdrawn(desk: Desk, answer: Answer) -> None:
    request = await desk.held()
    await desk.agent.aupdate_state(desk.config, None, as_node=END)
    ailments = await diagnose(desk.guard, desk.agent, now=desk.guard.now() + timedelta(minutes=10))
    await desk.guard.vote(desk.signed(request, answer))

    assert await repair(desk.guard, desk.agent, ailments) == Repaired(left=("t1",))


@pytest.mark.parametrize("column", ["successor", "parent"])
async def test_requests_that_lead_round_in_a_circle_end_no_diagnosis(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    request, read = await desk.held(), desk.guard.store.request

    def round_and_round(name: str) -> Any:
        standing = read(request)
        assert standing is not None
        other = name if name != request else "0" * 12
        own = standing.request.model_copy(update={"id": name, "parent": other if column == "parent" else None})
        return replace(standing, request=own, successor=other if column == "successor" else None)

    monkeypatch.setattr(desk.guard.store, "request", round_and_round)
    if column == "successor":
        assert await found(desk) == []
        return
    await desk.agent.aupdate_state(desk.config, None, as_node=END)
    assert await found(desk) == [(AilmentKind.ROW_WITHOUT_THREAD, request, "t1")]


async def test_where_more_is_in_doubt_than_is_looked_at_that_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guarded_agents.operations._ailments.PAGE", 1)
    now = desk.guard.now()
    glass = tuple(BrokenGlass(name, "ana", now, now) for name in ("one", "two"))
    monkeypatch.setattr(desk.guard.store, "broken_glass", lambda **_: glass)
    assert await found(desk, now=now) == [
        (AilmentKind.REVIEW_OVERDUE, "one", None),
        (AilmentKind.NOT_LOOKED_AT, "reviews", None),
    ]


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT])
async def test_a_settled_request_whose_thread_was_written_to_its_end_is_withdrawn(desk: Desk, answer: Answer) -> None:
    request = await desk.held()
    await desk.guard.vote(desk.signed(request, answer))
    await desk.agent.aupdate_state(desk.config, None, as_node=END)

    assert await found(desk) == [(AilmentKind.ROW_WITHOUT_THREAD, request, "t1")]
    await repaired(desk)
    assert (await found(desk), desk.server.effects) == ([], [])
    await desk.wake()
    assert desk.server.effects == []


async def test_a_request_past_its_time_is_swept_and_its_thread_told(desk: Desk) -> None:
    request = await desk.held()
    desk.bank.clock.advance(5 * 3_600)

    assert await found(desk) == [(AilmentKind.PAST_ITS_TIME, request, "t1")]
    assert await found(desk, agent=None) == [(AilmentKind.PAST_ITS_TIME, request, "t1")]
    done = await repaired(desk)
    assert (done.swept.expired, done.woken) == ((request,), ("t1",))
    assert (await found(desk), await desk.reasons(), desk.server.effects) == ([], ["expired"], [])


async def test_an_approval_past_its_time_never_runs(desk: Desk) -> None:
    request = await desk.held()
    await desk.guard.vote(desk.signed(request))
    desk.bank.clock.advance(3_600)

    assert (AilmentKind.PAST_ITS_TIME, request, "t1") in await found(desk)
    assert (await repaired(desk)).swept.lapsed == (request,)
    assert (await found(desk), desk.server.effects) == ([], [])


@pytest.mark.parametrize("has_graph", [True, False])
async def test_a_settled_request_whose_thread_was_not_told_is_found(desk: Desk, has_graph: bool) -> None:
    request = await desk.held()
    await desk.guard.vote(desk.signed(request))
    agent = desk.agent if has_graph else None

    assert await found(desk, now=desk.guard.now(), agent=agent) == []  # it may be under way
    assert await found(desk, agent=agent) == [(AilmentKind.NOT_TOLD, request, "t1")]
    assert (await repaired(desk)).woken == ("t1",)
    assert await desk.told() == {"call-0": "did wire"}
    assert await found(desk, agent=agent) == []


DELAYS = {
    "leased": (None, "its thread is leased to a worker until 2026-01-05T12:05:00Z: another one wakes it then"),
    "failed": (5 * MINUTE, "a worker tries again at 2026-01-05T12:05:00Z to wake its thread"),
}


@pytest.mark.parametrize("has_graph", [True, False])
@pytest.mark.parametrize(("again_after", "said"), DELAYS.values(), ids=DELAYS)
async def test_a_thread_that_no_worker_wakes_yet_is_found_with_until_when_and_what_wakes_it_at_once(
    desk: Desk, has_graph: bool, again_after: timedelta | None, said: str
) -> None:
    request = await desk.held()
    await desk.guard.vote(desk.signed(request))
    now, store = desk.guard.now(), desk.guard.store
    await store.take_wake(owner="one", until=now + 5 * MINUTE, now=now)
    if again_after is not None:
        await store.woken("t1", owner="one", again_at=now + again_after)
    agent = desk.agent if has_graph else None
    [ailment] = await diagnose(desk.guard, agent, now=now + 2 * MINUTE)
    assert (ailment.kind, ailment.subject) == (AilmentKind.NOT_TOLD, request)
    assert ailment.action == f"{said}; or at once: `guarded-agents approvals wake {request} --graph MODULE:FACTORY`"
    [ailment] = await diagnose(desk.guard, agent, now=now + 5 * MINUTE)
    assert "run a worker" in ailment.action


class Died(BaseException):
    """The process is no more."""


async def test_a_process_that_died_between_the_row_and_the_interrupt_left_a_thread_that_is_woken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = desk.guard.store.hold

    async def dies(*positional: Any, **named: Any) -> None:
        await hold(*positional, **named)
        raise Died

    with monkeypatch.context() as patched, suppress(Died):
        patched.setattr(desk.guard.store, "hold", dies)
        await desk.ask()
    assert await desk.waiting() == []
    assert len(desk.guard.store.requests()) == 1

    assert await found(desk) == [(AilmentKind.STOPPED, "t1", "t1")]
    assert await repaired(desk) == Repaired(woken=("t1",))
    assert (len(await desk.waiting()), await found(desk)) == (1, [])


async def test_a_process_that_died_after_the_call_left_a_thread_that_is_told_and_sends_nothing_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, settle = await desk.held(), desk.guard.store.settle

    async def dies(*positional: Any, **named: Any) -> None:
        await settle(*positional, **named)
        raise Died

    with monkeypatch.context() as patched, suppress(Died):
        patched.setattr(desk.guard.store, "settle", dies)
        await desk.approve(request)
    assert desk.server.effects == [("wire", 900)]

    [(kind, _, name)] = await found(desk)
    assert (kind, name) == (AilmentKind.NOT_TOLD, "t1")
    await repaired(desk)
    assert (await found(desk), desk.server.effects) == ([], [("wire", 900)])
    assert await desk.told() == {"call-0": "did wire"}


TOPUP = ("topup", {"account": "ACME", "amount_cents": 5})


async def test_a_process_that_died_in_a_call_that_nobody_is_asked_about_is_found_by_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_desk(tmp_path, calls(TOPUP)) as desk:
        settle = desk.guard.store.settle

        async def dies(*positional: Any, **named: Any) -> None:
            await settle(*positional, **named)
            raise Died

        with monkeypatch.context() as patched, suppress(Died):
            patched.setattr(desk.guard.store, "settle", dies)
            await desk.ask()
        stopped_at = datetime.fromisoformat((await desk.state()).created_at)  # by the clock of LangGraph

        assert await found(desk, now=stopped_at) == []  # it may be under way
        assert await found(desk, now=stopped_at + HOUR) == [(AilmentKind.STOPPED, "t1", "t1")]
        assert (await repaired(desk, now=stopped_at + HOUR)).woken == ("t1",)
        assert (desk.server.effects, await desk.told()) == ([("topup", 5)], {"call-0": "did topup"})


async def test_a_call_that_is_being_sent_is_no_ailment(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def look() -> None:
        stopped_at = datetime.fromisoformat((await desk.state()).created_at)
        seen.append(await found(desk, now=stopped_at + timedelta(seconds=70)))

    async with at_desk(tmp_path, calls(TOPUP), server=Ledger()) as desk:
        desk.server.before = look
        late = datetime.now(UTC) - desk.guard.now()  # LangGraph stamps what it saves with the machine's clock
        desk.bank.clock.advance(late.total_seconds())
        await desk.ask()
    assert seen == [[]]


async def test_a_call_is_listed_as_being_sent_until_its_senders_lease_is_over(tmp_path: Path) -> None:
    now, seen = NOON, list[Any]()

    def look() -> None:
        store = desk.guard.store
        seen.extend((claim.key.thread, claim.status) for claim in being_sent(store, now=now))
        seen.append(being_sent(store, now=now + HOUR))

    async with at_desk(tmp_path, calls(TOPUP), server=Ledger(before=look)) as desk:
        await desk.ask()
        assert seen == [("t1", ClaimStatus.SENDING), ()]
        assert being_sent(desk.guard.store, now=now) == ()


async def test_a_call_that_is_being_sent_takes_no_resolution_and_says_until_when(tmp_path: Path) -> None:
    sending: list[Claim] = []
    async with at_desk(tmp_path, calls(WIRE), server=Ledger()) as desk:
        desk.server.before = lambda: sending.extend(being_sent(desk.guard.store, now=NOON)) or resolve()

        def resolve() -> None:
            with pytest.raises(ApprovalError, match=r"still under its sender's lease until 2026-01-05T12:01:30Z"):
                desk.guard.prepare_resolution(
                    doubt_id(sending[0].key), Verdict.HAPPENED, resolver=RAJ, looked_at=NOON, text="saw it"
                )

        await desk.approve(await desk.held())
        assert (len(sending), await desk.told()) == (1, {"call-0": "did wire"})


async def test_a_breakpoint_of_the_application_is_left_to_its_people(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(TOPUP)) as desk:
        desk.agent.interrupt_before_nodes = ["execute"]
        await desk.ask()
        stopped_at = datetime.fromisoformat((await desk.state()).created_at)

        assert (await desk.state()).next == ("execute",)
        assert await found(desk, now=stopped_at + HOUR) == []


async def test_a_call_in_doubt_is_told_of_with_how_to_settle_it_and_never_repaired(tmp_path: Path) -> None:
    def silent(_: Any) -> None:
        raise NoReplyError("bank", expected="a reply", got="none", action="look")

    async with at_desk(tmp_path, calls(TOPUP), server=Ledger(reply=silent)) as desk:
        await desk.ask()
        [claim] = desk.guard.doubts
        name = doubt_id(claim.key)
        [ailment] = await diagnose(desk.guard, desk.agent, now=desk.guard.now())
        assert (ailment.kind, ailment.subject) == (AilmentKind.IN_DOUBT, name)
        assert f"approvals resolve {name}" in ailment.action

        assert await repaired(desk) == Repaired()
        assert [claim.status for claim in desk.guard.doubts] == [ClaimStatus.IN_DOUBT]
        assert desk.server.effects == [("topup", 5)]


async def test_conflicts_and_overdue_reviews_are_told_of(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    request = await desk.held()
    standing = desk.guard.store.request(request)
    assert standing is not None
    now = desk.guard.now()
    claim = Claim(standing.request.key, ClaimStatus.CONFLICT, "w", 1, now, Reason.PERMITTED, None)
    glass = (BrokenGlass("late", "ana", now, now + HOUR), BrokenGlass("in time", "ana", now, now + 2 * HOUR))
    monkeypatch.setattr(desk.guard.store, "doubts", lambda **_: (claim,))
    monkeypatch.setattr(desk.guard.store, "broken_glass", lambda **_: glass)

    assert await found(desk, now=now + HOUR) == [
        (AilmentKind.CONFLICT, doubt_id(claim.key), "t1"),
        (AilmentKind.REVIEW_OVERDUE, "late", None),
    ]
    assert await repaired(desk, now=now + HOUR) == Repaired()


async def test_a_log_that_was_changed_is_told_of_first(desk: Desk) -> None:
    await desk.held()
    with sqlite3.connect(desk.bank.folder / "guard.db") as database:
        database.execute("UPDATE audit SET body = CAST(CAST(body AS TEXT) || ' ' AS BLOB) WHERE sequence = 1")
    database.close()

    [(kind, subject, name), *_] = await found(desk)
    assert (kind, subject, name) == (AilmentKind.LOG_BROKEN, "audit log", None)


async def test_threads_are_looked_at_up_to_a_number_of_checkpoints_and_that_is_said(tmp_path: Path) -> None:
    async with at_desk(tmp_path, calls(WIRE)) as desk:
        for name in ("t1", "t2", "t3"):
            desk.config = thread(name)
            await desk.ask()
        counts: list[int] = []
        assert await found(desk, progress=counts.append) == []
        assert counts == [1, 2, 3]
        assert await found(desk, max_checkpoints=2) == [(AilmentKind.NOT_LOOKED_AT, "checkpointer", None)]


async def test_threads_in_a_file_are_found_and_repaired(tmp_path: Path) -> None:
    async with (
        AsyncSqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver,
        at_desk(tmp_path, calls(WIRE), saver=saver) as desk,
    ):
        request = await desk.held()
        await desk.guard.vote(desk.signed(request))
        assert await found(desk) == [(AilmentKind.NOT_TOLD, request, "t1")]
        assert (await repaired(desk)).woken == ("t1",)
        assert (await found(desk), desk.server.effects) == ([], [("wire", 900)])


async def test_a_graph_without_a_checkpointer_is_refused(desk: Desk) -> None:
    builder = StateGraph(GuardedState)
    builder.add_node("model", lambda state: {})
    builder.set_entry_point("model")

    with pytest.raises(AssemblyError):
        await diagnose(desk.guard, builder.compile(), now=desk.guard.now())


async def test_a_thread_that_cannot_be_woken_is_told_of_and_the_others_are_woken(desk: Desk) -> None:
    elsewhere = desk.guard.agent(model(), checkpointer=InMemorySaver())
    for name in ("t1", "t2"):
        desk.config = thread(name)
        await desk.guard.vote(desk.signed(await desk.held()))
    ailments = [
        *await diagnose(desk.guard, desk.agent, now=desk.guard.now() + HOUR),
        Ailment(AilmentKind.STOPPED, "t3", "", "", "t3"),
    ]
    done = await repair(desk.guard, desk.agent, ailments)
    assert (done.woken, [name for name, _ in done.failed]) == (("t1", "t2"), ["t3"])
    assert len(desk.server.effects) == 2

    done = await repair(desk.guard, elsewhere, ailments)
    assert [name for name, _ in done.failed] == ["t1", "t2", "t3"]


UNREADABLE = {
    "an id": ("UPDATE requests SET id = CAST(x'ff' AS TEXT) WHERE thread = 't1'", AilmentKind.UNREADABLE),
    "a time": ("UPDATE requests SET decide_by = 9223372036854775807 WHERE thread = 't1'", AilmentKind.UNREADABLE),
    "a notice": ("UPDATE notices SET addressee = CAST(x'ff' AS TEXT) WHERE number = 1", AilmentKind.NOTICE_STUCK),
}


@pytest.mark.parametrize(("change", "kind"), UNREADABLE.values(), ids=UNREADABLE)
async def test_one_row_that_cannot_be_read_is_named_and_hides_nothing_else(
    desk: Desk, change: str, kind: AilmentKind
) -> None:
    await desk.held()
    other = replace(desk, config=thread("t2"))
    second = await other.held()
    with sqlite3.connect(desk.bank.folder / "guard.db") as db:
        db.execute(change)
    later = desk.guard.now() + 99 * HOUR
    ailments = await found(desk, now=later)
    assert (AilmentKind.PAST_ITS_TIME, second, "t2") in ailments
    assert kind in [found for found, *_ in ailments]
    assert desk.server.effects == []
