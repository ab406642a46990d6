"""One process of a deployment that several share: ``python -m tests.support.siege_process MODE FOLDER``.

It opens the deployment's guard over a server of its own, and does what it is told, a line of JSON each:
``{"thread": …, "vote": {…} or null, "replay": bool}``. It answers ``going`` and then the kinds of errors.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from guarded_agents import Guard, SignedVote
from guarded_agents.testing import FixedClock
from tests.support.bank import CONTEXT, NOON, Bank, calls, model, thread
from tests.support.siege import TOPUP, WIRE

SCRIPT = calls(("wire", WIRE), ("topup", TOPUP))


def opened(folder: Path) -> Any:
    """Return what opens the deployment's guard; its server waits in a wire while the file ``slow`` exists."""
    bank = Bank(folder, FixedClock(NOON))
    return bank.open(servers=bank.servers(BANK_SLOW=str(folder / "slow")))


def agent_of(guard: Guard, saver: Any) -> Any:
    return guard.agent(model(SCRIPT), checkpointer=saver)


def say(*words: str) -> None:
    print(json.dumps(words), flush=True)  # noqa: T201 - this is how it answers


def vote_of(told: dict[str, Any]) -> SignedVote | None:
    return None if told["vote"] is None else SignedVote.model_validate_json(json.dumps(told["vote"]))


def serve(folder: Path) -> None:
    with SqliteSaver.from_conn_string(str(folder / "checkpoints.db")) as saver, opened(folder) as guard:
        agent = agent_of(guard, saver)
        say("ready")
        for line in sys.stdin:
            told, errors = json.loads(line), []
            say("going")
            config = thread(told["thread"])
            places = [found.config for found in agent.get_state_history(config)] if told["replay"] else [config]
            for place in places:
                try:
                    vote = vote_of(told)
                    if vote is not None:
                        guard.resume_sync(agent, vote)
                    else:
                        agent.invoke(None, place, context=CONTEXT)
                except Exception as error:  # noqa: BLE001 - told to the test
                    errors.append(type(error).__name__)
            say(*errors)


async def aserve(folder: Path) -> None:
    async with AsyncSqliteSaver.from_conn_string(str(folder / "checkpoints.db")) as saver, opened(folder) as guard:
        agent = agent_of(guard, saver)
        say("ready")
        while line := await asyncio.to_thread(sys.stdin.readline):
            told, errors = json.loads(line), []
            say("going")
            config = thread(told["thread"])
            places = [config]
            if told["replay"]:
                places = [found.config async for found in agent.aget_state_history(config)]
            for place in places:
                try:
                    vote = vote_of(told)
                    if vote is not None:
                        await guard.resume(agent, vote)
                    else:
                        await agent.ainvoke(None, place, context=CONTEXT)
                except Exception as error:  # noqa: BLE001 - told to the test
                    errors.append(type(error).__name__)
            say(*errors)


if __name__ == "__main__":
    mode, where = sys.argv[1:]
    if mode == "sync":
        serve(Path(where))
    else:
        asyncio.run(aserve(Path(where)))
