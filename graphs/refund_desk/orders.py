"""MCP server ``orders``: orders and customers' mails. ``python -m graphs.refund_desk.orders DATABASE``."""

import sys
from pathlib import Path

from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel

from graphs._database import database_argument, rows
from graphs._tracing import TracedServer, export_spans

READS = ToolAnnotations(readOnlyHint=True, openWorldHint=False)
MAX_ORDERS = 50


class Order(BaseModel):
    """One order; the total is in euro cents."""

    order_id: str
    customer: str
    email: str
    item: str
    total_cents: int
    paid_with: str
    status: str
    ordered_on: str


class Orders(BaseModel):
    """Orders by number."""

    orders: list[Order]


class Mail(BaseModel):
    """One mail of a customer, as it came in."""

    mail_id: str
    order_id: str
    sender: str
    subject: str
    body: str
    received_on: str


class Mails(BaseModel):
    """Mails by arrival, newest first."""

    mails: list[Mail]


def server(database: Path) -> FastMCP:
    """Return the server over *database*."""
    app = TracedServer("orders")

    @app.tool(annotations=READS)
    def get_order(order_id: str) -> Order:
        """Return one order by its number."""
        found = rows(database, "SELECT * FROM orders WHERE order_id = ?", order_id)
        if not found:
            raise ToolError("no such order")
        return Order.model_validate(found[0])

    @app.tool(annotations=READS)
    def search_orders(text: str = "") -> Orders:
        """Return orders whose customer, mail address or item contains the text; all orders for an empty text."""
        query = """SELECT * FROM orders WHERE instr(lower(customer || ' ' || email || ' ' || item), lower(?)) > 0
                   ORDER BY order_id LIMIT ?"""
        return Orders.model_validate({"orders": rows(database, query, text, MAX_ORDERS)})

    @app.tool(annotations=READS)
    def read_mail(order_id: str) -> Mails:
        """Return the mails that customers wrote about an order."""
        query = "SELECT * FROM mails WHERE order_id = ? ORDER BY received_on DESC, mail_id"
        return Mails.model_validate({"mails": rows(database, query, order_id)})

    return app


if __name__ == "__main__":
    export_spans("orders")
    server(database_argument(sys.argv)).run()
