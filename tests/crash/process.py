"""One process of an application, which may die on the way: `python -m tests.crash.process JSON`.

It opens the deployment in ``folder``, reports what is in doubt, does what ``do`` says, and prints where the thread then
stands. ``die`` names points as ``TARGET.METHOD:WHEN:NTH``; see `arm`. Nothing in the product knows of them: methods
of this process's own objects are wrapped.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from guarded_agents import Answer, Guard
from guarded_agents.audit import verify
from guarded_agents.testing import FixedClock
from tests.support.bank import CONTEXT, NOON, Bank, answers, asked, calls, model, thread, waiting

DIED = 17
WIRE = ("wire", {"account": "ACME", "amount_cents": 900}, "wire")
TOPUP = ("topup", {"account": "B", "amount_cents": 5}, "topup")
BALANCE = ("balance", {"account": "A"}, "balance")
SCRIPTS = {"topup": (TOPUP,), "wire": (WIRE,), "both": (WIRE, TOPUP), "read": (BALANCE,), "all": (BALANCE, TOPUP, WIRE)}


def die(*_: object) -> NoReturn:
    os._exit(DIED)


class TickingClock(FixedClock):
    """A clock that goes on by *tick_s* seconds at every look."""

    def __init__(self, tick_s: float) -> None:
        super().__init__(NOON)
        self.tick_s = tick_s

    def __call__(self) -> datetime:
        return self.advance(self.tick_s)


class Countdown:
    """Dies at the *nth* call."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self) -> None:
        self.left -= 1
        if not self.left:
            die()


def arm(targets: dict[str, Any], point: str) -> None:
    """Wrap what *point* names, so that the process ends there.

    WHEN is ``before`` or ``after`` the method, or ``inside``: in the store's transaction, before its commit.
    """
    place, when, nth = point.split(":")
    name, method = place.split(".")
    due = Countdown(int(nth))
    if when == "inside":
        writer = targets[name]._writer
        writer.submit = partial(_submitted, writer.submit, method, due)
        return
    original = getattr(targets[name], method)

    async def mortal(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            due()
        result = await original(*args, **kwargs)
        if when == "after":
            due()
        return result

    setattr(targets[name], method, mortal)


def _submitted(submit: Callable[..., Any], method: str, due: Countdown, transaction: Any, **how: Any) -> Any:
    def mortal(tx: Any) -> Any:
        result = transaction(tx)
        if transaction.func.__name__.lstrip("_") == method:
            due()
        return result

    return submit(mortal, **how)


def servers(bank: Bank, run: dict[str, Any]) -> dict[str, object]:
    """Return the servers, in which dies what ``death`` says. Each keeps our standard error open until it ends, too."""
    env = {}
    if "death" in run:
        env = {
            "BANK_SLOW": run["slow"],
            "BANK_DEATH": run["death"],
            "BANK_DEATHS": run["deaths"],
            "BANK_CLIENT": str(os.getpid()),
        }
    arguments = ["-I", "-S", run["client"], run["socket"], "tests.crash.server", str(bank.database)]
    record = {"command": sys.executable, "args": arguments, "env": env, "cwd": str(Path.cwd()), "stderr": "inherit"}
    return {"bank": record}


async def act(do: str, guard: Guard, agent: Any, bank: Bank) -> None:
    if do == "ask":
        await agent.ainvoke(asked(), thread(), context=CONTEXT)
    elif do == "retry":  # what an application does after a crash: it goes on, as the same principal
        kept = (await agent.aget_state(thread())).created_at is not None
        await agent.ainvoke(None if kept else asked(), thread(), context=CONTEXT)
    elif do == "wake":  # what a worker does: it knows the thread and nobody
        await guard.wake(agent, "t1")
    elif do == "new input":
        await agent.ainvoke(asked("something else"), thread(), context=CONTEXT)
    else:
        answer = {"approve": Answer.APPROVE, "vote": Answer.APPROVE, "reject": Answer.REJECT}[do]
        for request in waiting(await agent.aget_state(thread())):
            signed = bank.signed(guard, request, answer)
            await (guard.vote(signed) if do == "vote" else guard.resume(agent, signed))


async def main(run: dict[str, Any]) -> None:
    bank = Bank(Path(run["folder"]), TickingClock(run.get("tick_s", 0)))
    bank.clock.advance(run.get("at_s", 0))
    script = (calls(*SCRIPTS[run["script"]]),)
    async with (
        AsyncSqliteSaver.from_conn_string(str(bank.checkpoints)) as saver,
        bank.open(servers=servers(bank, run)) as guard,
    ):
        chat = model(*script)
        if "model" in run.get("die", ()):
            chat = chat.model_copy(update={"script": (*script, die)})
        agent = guard.agent(chat, checkpointer=saver)
        doubts = [claim.status for claim in guard.doubts]
        targets = {"store": guard.store, "transport": guard._transport, "saver": saver}
        for point in run.get("die", ()):
            if point != "model":
                arm(targets, point)
        if run.get("together"):  # with another process: each waits until both are ready
            print("ready", flush=True)  # noqa: T201
            await asyncio.to_thread(sys.stdin.readline)
        for do in run["do"]:
            await act(do, guard, agent, bank)
        print(json.dumps(await report(guard, agent) | {"doubts": doubts}), flush=True)  # noqa: T201


async def report(guard: Guard, agent: Any) -> dict[str, Any]:
    state = await agent.aget_state(thread())
    messages = state.values.get("messages", [])
    return {
        "told": answers(messages),
        "next": list(state.next),
        "waiting": waiting(state),
        "last": messages[-1].content if messages else None,
        "kinds": [message.type for message in messages],
        "doubts_left": [claim.status for claim in guard.doubts],
        "verified": verify(guard.store.audit_rows()).verified,
    }


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
