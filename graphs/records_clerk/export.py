"""MCP server ``export``: records leave the clinic. ``python -m graphs.records_clerk.export DATABASE``.

It sends whatever it is asked for, also what must not leave: that is the guard's to prevent.
"""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Final, Literal

from mcp.server.fastmcp import Context, FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.server.session import ServerSession
from mcp.types import ToolAnnotations
from pydantic import BaseModel

from graphs._database import database_argument, idempotency_key, transaction
from graphs._tracing import TracedServer, export_spans

SENDS = ToolAnnotations(readOnlyHint=False, destructiveHint=True, idempotentHint=False, openWorldHint=True)
Section = Literal["master_data", "psychotherapy_notes", "visits"]

_CONTENT: Final[dict[Section, str]] = {
    "master_data": "SELECT * FROM patients WHERE patient_id = ?",
    "psychotherapy_notes": "SELECT * FROM notes WHERE patient_id = ? ORDER BY written_on",
    "visits": """SELECT * FROM visits WHERE patient_id = ? AND confidentiality <> 'restricted' ORDER BY visited_on""",
}


class Export(BaseModel):
    """An export that was sent."""

    export_id: int
    patient_id: str
    partner: str
    sections: list[str]


def server(database: Path) -> FastMCP:
    """Return the server over *database*."""
    app = TracedServer("export")

    @app.tool(annotations=SENDS)
    def export_records(
        patient_id: str, partner: str, sections: list[Section], purpose: str, context: Context[ServerSession, None]
    ) -> Export:
        """Send sections of a patient's record to a partner."""
        wanted = sorted(set(sections))
        key = idempotency_key(context)
        with transaction(database) as connection:
            known = connection.execute("SELECT * FROM exports WHERE idempotency_key = ?", (key,)).fetchone()
            row = (
                known
                or connection.execute(
                    """INSERT INTO exports (patient_id, partner, sections, purpose, content, idempotency_key)
                   VALUES (?, ?, ?, ?, ?, ?) RETURNING *""",
                    (patient_id, partner, ",".join(wanted), purpose, _content(connection, patient_id, wanted), key),
                ).fetchone()
            )
        return Export(
            export_id=row["export_id"],
            patient_id=row["patient_id"],
            partner=row["partner"],
            sections=row["sections"].split(","),
        )

    return app


def _content(connection: sqlite3.Connection, patient_id: str, sections: list[Section]) -> str:
    if not connection.execute(_CONTENT["master_data"], (patient_id,)).fetchall() or not sections:
        raise ToolError("no such patient, or no section; nothing was sent")
    found = {
        section: [dict(row) for row in connection.execute(_CONTENT[section], (patient_id,))] for section in sections
    }
    return json.dumps(found, sort_keys=True)


if __name__ == "__main__":
    export_spans("export")
    server(database_argument(sys.argv)).run()
