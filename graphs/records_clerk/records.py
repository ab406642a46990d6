"""MCP server ``records``: patients, visits and notes. ``python -m graphs.records_clerk.records DATABASE``."""

import sys
from pathlib import Path

from mcp.server.fastmcp import FastMCP
from mcp.server.fastmcp.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel

from graphs._database import database_argument, rows
from graphs._tracing import TracedServer, export_spans

READS = ToolAnnotations(readOnlyHint=True, openWorldHint=False)


class Patient(BaseModel):
    """A patient's master data."""

    patient_id: str
    name: str
    born_on: str
    insurer: str
    allergies: str
    confidentiality: str


class Visit(BaseModel):
    """One visit and its diagnosis (ICD-10)."""

    visit_id: str
    patient_id: str
    visited_on: str
    department: str
    diagnosis: str
    confidentiality: str


class Visits(BaseModel):
    """Visits, newest first."""

    visits: list[Visit]


class Note(BaseModel):
    """One psychotherapy note."""

    note_id: str
    patient_id: str
    written_on: str
    text: str
    confidentiality: str


class Notes(BaseModel):
    """Psychotherapy notes, newest first."""

    notes: list[Note]


def server(database: Path) -> FastMCP:
    """Return the server over *database*."""
    app = TracedServer("records")

    @app.tool(annotations=READS)
    def get_record(patient_id: str) -> Patient:
        """Return a patient's master data."""
        found = rows(database, "SELECT * FROM patients WHERE patient_id = ?", patient_id)
        if not found:
            raise ToolError("no such patient")
        return Patient.model_validate(found[0])

    @app.tool(annotations=READS)
    def list_visits(patient_id: str) -> Visits:
        """Return a patient's visits, without those to psychotherapy."""
        query = """SELECT * FROM visits WHERE patient_id = ? AND confidentiality <> 'restricted'
                   ORDER BY visited_on DESC"""
        return Visits.model_validate({"visits": rows(database, query, patient_id)})

    @app.tool(annotations=READS)
    def read_psychotherapy_notes(patient_id: str) -> Notes:
        """Return the notes of a patient's psychotherapist. Restricted: they never leave the clinic."""
        query = "SELECT * FROM notes WHERE patient_id = ? ORDER BY written_on DESC"
        return Notes.model_validate({"notes": rows(database, query, patient_id)})

    return app


if __name__ == "__main__":
    export_spans("records")
    server(database_argument(sys.argv)).run()
