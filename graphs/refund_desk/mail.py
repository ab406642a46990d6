"""MCP server ``mail``: mails leave the house through its outbox. ``python -m graphs.refund_desk.mail DATABASE``."""

import sys
from pathlib import Path

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.session import ServerSession
from mcp.types import ToolAnnotations
from pydantic import BaseModel

from graphs._database import database_argument, idempotency_key, transaction
from graphs._tracing import TracedServer, export_spans

SENDS = ToolAnnotations(readOnlyHint=False, destructiveHint=True, idempotentHint=False, openWorldHint=True)


class Sent(BaseModel):
    """A mail that went to the outbox."""

    message_id: int
    to: str


def server(database: Path) -> FastMCP:
    """Return the server over *database*."""
    app = TracedServer("mail")

    @app.tool(annotations=SENDS)
    def send_mail(to: str, subject: str, body: str, context: Context[ServerSession, None]) -> Sent:
        """Send a mail to one address."""
        if to.count("@") != 1 or not to.isprintable() or any(character in to for character in " ,;<>"):
            raise ToolError("expected one plain mail address; nothing was sent")
        key = idempotency_key(context)
        with transaction(database) as connection:
            known = connection.execute("SELECT * FROM outbox WHERE idempotency_key = ?", (key,)).fetchone()
            row = (
                known
                or connection.execute(
                    "INSERT INTO outbox (recipient, subject, body, idempotency_key) VALUES (?, ?, ?, ?) RETURNING *",
                    (to, subject, body, key),
                ).fetchone()
            )
        return Sent(message_id=row["message_id"], to=row["recipient"])

    return app


if __name__ == "__main__":
    export_spans("mail")
    server(database_argument(sys.argv)).run()
