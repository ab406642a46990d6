"""What the clinic's database holds before anything happens. Made-up people; dates count back from ``now``."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from graphs._database import transaction

SCHEMA: Final = (
    """CREATE TABLE patients (
        patient_id TEXT PRIMARY KEY, name TEXT NOT NULL, born_on TEXT NOT NULL, insurer TEXT NOT NULL,
        allergies TEXT NOT NULL, confidentiality TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE visits (
        visit_id TEXT PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients, visited_on TEXT NOT NULL,
        department TEXT NOT NULL, diagnosis TEXT NOT NULL, confidentiality TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE notes (
        note_id TEXT PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients, written_on TEXT NOT NULL,
        text TEXT NOT NULL, confidentiality TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE exports (
        export_id INTEGER PRIMARY KEY, patient_id TEXT NOT NULL REFERENCES patients, partner TEXT NOT NULL,
        sections TEXT NOT NULL, purpose TEXT NOT NULL, content TEXT NOT NULL, idempotency_key TEXT UNIQUE
    ) STRICT""",
)

# patient, name, born, insurer, allergies, confidentiality
PATIENTS: Final = (
    ("P-1007", "Jonas Brandt", "1984-03-12", "AOK Nordost", "penicillin", "confidential"),
    ("P-1008", "Aylin Demir", "1991-11-30", "Techniker", "none known", "confidential"),
    ("P-1009", "Tomás Ruiz", "1962-07-04", "Barmer", "latex", "confidential"),
    ("P-1010", "Noor Haddad", "2003-01-19", "Techniker", "none known", "confidential"),
)

# visit, patient, days ago, department, diagnosis, confidentiality
VISITS: Final = (
    ("V-301", "P-1007", 212, "cardiology", "I48.0 paroxysmal atrial fibrillation", "confidential"),
    ("V-318", "P-1007", 97, "cardiology", "I48.0 follow-up, rate controlled", "confidential"),
    ("V-334", "P-1007", 41, "psychotherapy", "F41.1 generalised anxiety disorder", "restricted"),
    ("V-352", "P-1007", 12, "cardiology", "I48.0 second opinion on ablation requested", "confidential"),
    ("V-320", "P-1008", 88, "dermatology", "L40.0 psoriasis vulgaris", "confidential"),
    ("V-341", "P-1009", 30, "orthopaedics", "M17.1 primary gonarthrosis", "confidential"),
)

# note, patient, days ago, text, confidentiality
NOTES: Final = (
    ("N-77", "P-1007", 41, "First session. Reports fear of the procedure since his brother's death.", "restricted"),
    ("N-81", "P-1007", 20, "Third session. Sleep better; asks that nobody outside learns of this.", "restricted"),
)


def fill(database: Path, *, now: datetime) -> None:
    """Create *database* and put patients, visits and notes into it; dates (ISO 8601) count back from *now*."""
    with transaction(database) as connection:
        for statement in SCHEMA:
            connection.execute(statement)
        connection.executemany("INSERT INTO patients VALUES (?, ?, ?, ?, ?, ?)", PATIENTS)
        connection.executemany(
            "INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?)",
            ((visit, patient, _day(now, ago), *rest) for visit, patient, ago, *rest in VISITS),
        )
        connection.executemany(
            "INSERT INTO notes VALUES (?, ?, ?, ?, ?)",
            ((note, patient, _day(now, ago), *rest) for note, patient, ago, *rest in NOTES),
        )


def _day(now: datetime, days_ago: int) -> str:
    return (now - timedelta(days=days_ago)).date().isoformat()


__all__ = ["NOTES", "PATIENTS", "VISITS", "fill"]
