"""One process of a run beside instrumentors of others: ``beside.py openinference|traceloop ask|resume FOLDER``.

It prints, as JSON, the spans that everybody made in it. The bank is in FOLDER, and its server runs over stdio.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from opentelemetry.sdk.trace import ReadableSpan

from guarded_agents.testing import FixedClock
from tests.support.bank import CONTEXT, NOON, Bank, asked, calls, model, thread, waiting
from tests.support.watched import Watched, said_by

READ = ("balance", {"account": "ACME"})
WIRE = ("wire", {"account": "ACME", "amount_cents": 900})
NO = ("drop_table", {"account": "ACME"})


def instrumentors(whose: str) -> list[Any]:
    if whose == "openinference":
        from openinference.instrumentation.langchain import LangChainInstrumentor

        return [LangChainInstrumentor()]
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor
    from opentelemetry.instrumentation.mcp import McpInstrumentor

    return [LangchainInstrumentor(), McpInstrumentor()]


async def run(task: str, bank: Bank, watched: Watched) -> None:
    """Ask until one call waits, or approve that one and go on."""
    async with (
        AsyncSqliteSaver.from_conn_string(str(bank.checkpoints)) as saver,
        bank.open(tracer_provider=watched.provider) as guard,
    ):
        agent = guard.agent(model(calls(READ, WIRE, NO)), checkpointer=saver)
        if task == "ask":
            await agent.ainvoke(asked(), thread(), context=CONTEXT)
        else:
            [request] = waiting(await agent.aget_state(thread()))
            await guard.resume(agent, bank.signed(guard, request))


def told(span: ReadableSpan) -> dict[str, Any]:
    scope = span.instrumentation_scope
    return {
        "scope": scope.name if scope else "",
        "name": span.name,
        "status": span.status.status_code.name,
        "events": [event.name for event in span.events],
        "roles": sorted(str((link.attributes or {}).get("guarded_agents.role")) for link in span.links),
        "said": said_by(span),
    }


if __name__ == "__main__":
    whose, task, folder = sys.argv[1:]
    watched, found = Watched(), instrumentors(whose)
    for instrumentor in found:
        instrumentor.instrument(tracer_provider=watched.provider)
    try:
        asyncio.run(run(task, Bank(Path(folder), FixedClock(NOON)), watched))
    finally:
        for instrumentor in found:
            instrumentor.uninstrument()
    sys.stdout.write(json.dumps([told(span) for span in watched.spans], default=str))
