"""What docs/siem.md says of each kind and field is what is done, and its example is one."""

import re
from pathlib import Path

import orjson
import pytest
from pydantic import JsonValue

from guarded_agents.audit import OCSF_VERSION, Kind, to_cef, to_ocsf
from tests.support.audit_entries import ENTRIES, entry_of, sealed
from tests.support.siem import leaves, parse_cef

PAGE = (Path(__file__).parents[3] / "docs" / "siem.md").read_text(encoding="utf-8")
VERSION = "0.1.0"

CLASSES = {6003: "API Activity", 2004: "Detection Finding"}
ACTIVITIES = {6003: {1: "Create", 3: "Update", 99: "Other"}, 2004: {1: "Create", 2: "Update", 3: "Close"}}
SEVERITIES = ("Unknown", "Informational", "Low", "Medium", "High")
STATUSES = {
    6003: {None: "", 0: "Unknown", 1: "Success", 2: "Failure"},
    2004: {1: "New", 2: "In Progress", 4: "Resolved"},
}
DISPOSITIONS = {None: "", 1: "Allowed", 2: "Blocked", 3: "Quarantined", 9: "Restored", 14: "Delayed", 15: "Detected"}


def table(first: str) -> list[list[str]]:
    """Return the rows of the table whose first column is called *first*."""
    lines = PAGE.split(f"\n| {first} |", 1)[1].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def row_of(name: str) -> list[str]:
    event, (header, _) = to_ocsf(sealed(name), version=VERSION), parse_cef(to_cef(sealed(name), version=VERSION))
    class_uid = event["class_uid"]
    return [
        f"`{header[4]}`",
        CLASSES[class_uid],
        ACTIVITIES[class_uid][event["activity_id"]],
        SEVERITIES[event["severity_id"]],
        STATUSES[class_uid][event.get("status_id")],
        DISPOSITIONS[event.get("disposition_id")],
        header[6],
    ]


def test_the_table_of_kinds_is_what_is_done() -> None:
    done = {tuple(row_of(name)) for name in ENTRIES}
    assert [tuple(row) for row in table("signature")] == sorted(done, key=lambda row: row[0].strip("`"))


def test_every_kind_is_on_the_page() -> None:
    assert [kind for kind in Kind if f"| `{kind}" not in PAGE] == []


FIELDS = {name: row for row in table("field") for name in re.findall(r"`(\w+)`", row[0])}
OF_ACTIVITY = {
    "answer": "vote",
    "approver": "vote",
    "verdict": "resolution",
    "resolver": "resolution",
    "status": "outcome",
}
OF_FINDING = {"finding": "review", "reviewer": "review", "required": "finding", "findings": "finding"}
MARK = "mark"


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_stands_where_the_page_says(name: str) -> None:
    row = FIELDS[name]
    fields: dict[str, JsonValue] = {name: [["id", MARK, 1]] if name == "findings" else MARK}
    in_activity = entry_of(OF_ACTIVITY.get(name, "decision"), fields)
    in_finding = entry_of(OF_FINDING.get(name, "tool_quarantined"), fields)
    if name not in OF_FINDING and name != "kind":
        assert places_in(to_ocsf(in_activity, version=VERSION)) == promised(row[1], name, row[0])
    if name not in {*OF_ACTIVITY, "principal", "effect"}:
        assert places_in(to_ocsf(in_finding, version=VERSION)) == promised(row[2], name, row[0])
    stored = in_finding if name in OF_FINDING or name == "kind" else in_activity
    _, keys = parse_cef(to_cef(stored, version=VERSION))
    assert [key for key, value in keys.items() if value == MARK] == sorted(promised(row[3], name, row[0]))


def places_in(event: dict[str, JsonValue]) -> set[str]:
    return {re.sub(r"types\[0\]", "types", path) for path, value in leaves(event) if value == MARK and is_placed(path)}


def is_placed(path: str) -> bool:
    return not path.startswith("unmapped.")


def promised(cell: str, name: str, names: str) -> set[str]:
    """Return the places in *cell* of *name*: all, or where there is one for each of *names*, its own."""
    places, fields = re.findall(r"`([^`]+)`", cell), re.findall(r"`(\w+)`", names)
    return {places[fields.index(name)]} if len(places) == len(fields) > 1 else set(places)


def test_the_example_on_the_page_is_what_is_made_of_the_entry_on_the_page() -> None:
    stored, event = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    line = re.findall(r"```\n(CEF:.*?)\n```", PAGE)
    assert to_ocsf(stored.encode(), version=VERSION) == orjson.loads(event)
    assert [to_cef(stored.encode(), version=VERSION)] == line


def test_the_page_names_the_version_of_the_schema() -> None:
    assert f"https://schema.ocsf.io/{OCSF_VERSION}/" in PAGE
