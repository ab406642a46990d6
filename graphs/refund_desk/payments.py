"""MCP server ``payments``: refunds in euro cents. ``python -m graphs.refund_desk.payments DATABASE``.

A refund is one transaction: an error reply means that nothing was paid. A call that carries an
idempotency key in ``_meta`` is paid once, however often it arrives.
"""

import sqlite3
import sys
from pathlib import Path
from typing import Annotated

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.session import ServerSession
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from graphs._database import database_argument, idempotency_key, transaction
from graphs._tracing import TracedServer, export_spans

PAYS = ToolAnnotations(readOnlyHint=False, destructiveHint=True, idempotentHint=False, openWorldHint=True)


class Refund(BaseModel):
    """A refund that was paid; the amount is in euro cents."""

    refund_id: int
    order_id: str
    amount_cents: int
    account: str


def server(database: Path) -> FastMCP:
    """Return the server over *database*."""
    app = TracedServer("payments")

    @app.tool(annotations=PAYS)
    def refund(
        order_id: str,
        amount_cents: Annotated[int, Field(description="euro cents")],
        note: str,
        context: Context[ServerSession, None],
        account: Annotated[str, Field(description="empty: back to where the payment came from")] = "",
    ) -> Refund:
        """Pay money of an order back."""
        with transaction(database) as connection:
            paid = _pay(connection, (order_id, amount_cents, account, note), idempotency_key(context))
        return Refund.model_validate(paid)

    return app


def _pay(connection: sqlite3.Connection, call: tuple[str, int, str, str], key: str | None) -> dict[str, object]:
    order_id, amount_cents, account, note = call
    known = connection.execute("SELECT * FROM refunds WHERE idempotency_key = ?", (key,)).fetchone()
    if known is not None:
        return dict(known)
    order = connection.execute("SELECT total_cents, paid_with FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    if order is None:
        raise ToolError("no such order; nothing was paid")
    query = "SELECT coalesce(sum(amount_cents), 0) FROM refunds WHERE order_id = ?"
    left = order["total_cents"] - connection.execute(query, (order_id,)).fetchone()[0]
    if not 0 < amount_cents <= left:
        raise ToolError(f"at most {left} cents of this order can be refunded; nothing was paid")
    made = connection.execute(
        """INSERT INTO refunds (order_id, amount_cents, account, note, idempotency_key)
           VALUES (?, ?, ?, ?, ?) RETURNING *""",
        (order_id, amount_cents, account or order["paid_with"], note, key),
    )
    return dict(made.fetchone())


if __name__ == "__main__":
    export_spans("payments")
    server(database_argument(sys.argv)).run()
