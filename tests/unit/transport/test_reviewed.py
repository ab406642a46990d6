"""The transport of a process that only votes."""

from pathlib import Path

import pytest

from guarded_agents.catalog import Catalog, load_lockfile, of_observed
from guarded_agents.errors import NotSentError
from guarded_agents.transport import ReviewedTransport

LOCKFILE = load_lockfile(
    (Path(__file__).parents[3] / "graphs/refund_desk/tools.lock").read_bytes(), source="tools.lock"
)


async def test_every_tool_is_offered_exactly_as_it_was_reviewed() -> None:
    transport, catalog = ReviewedTransport(LOCKFILE), Catalog(LOCKFILE)
    assert transport.servers == ("mail", "orders", "payments")
    for server in transport.servers:
        offered = await transport.list_tools(server, principal="")
        assert catalog.observe(server, [of_observed(tool) for tool in offered]) == ()
    assert not catalog.quarantine
    assert await transport.list_tools("other", principal="") == ()


@pytest.mark.requirement("I1")
async def test_nothing_is_sent() -> None:
    transport = ReviewedTransport(LOCKFILE)
    with pytest.raises(NotSentError, match="expected a process that runs the servers"):
        await transport.call("payments", "refund", {}, principal="desk-agent", meta={}, timeout_s=1)
    await transport.aclose()
