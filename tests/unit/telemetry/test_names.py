"""The names that leave the process are declared once, and docs/telemetry.md lists the same."""

import re
from pathlib import Path

import guarded_agents
from guarded_agents.telemetry import SCHEMA_VERSION, Stage, _names

ROOT = Path(guarded_agents.__file__).parents[1]
PAGE = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")
ROOTS = r"gen_ai|mcp|network|error|guarded_agents|openinference|tool|session|input|output"
KEY = re.compile(rf"\A(?:{ROOTS})\.[a-z_.]+\Z")
CONSTANTS = {name: value for name, value in vars(_names).items() if name.isupper() and isinstance(value, str)}
DECLARED = {value for value in CONSTANTS.values() if KEY.match(value)}
SPOKEN = {word for word in re.findall(r"`([^`\s]+)`", PAGE) if KEY.match(word)}
MENTIONED = {"mcp.session.id", "guarded_agents.telemetry.export_from_environment"}  # the one is never said


def test_the_page_lists_every_name_and_no_other() -> None:
    assert SPOKEN - MENTIONED == DECLARED


def test_the_page_lists_every_span() -> None:
    assert {stage.value for stage in Stage} == set(re.findall(r"^\| `guard (\w+)`", PAGE, re.MULTILINE))
    assert f"`{_names.EXECUTE_TOOL} {{server/tool}}`" in PAGE


def test_the_page_names_the_schema_version() -> None:
    assert f"`SCHEMA_VERSION` {SCHEMA_VERSION}" in PAGE


def test_no_name_is_declared_twice() -> None:
    keys = [value for name, value in CONSTANTS.items() if name != "LOGGER" and value in DECLARED]
    assert len(keys) == len(DECLARED)


def test_a_key_is_spelt_nowhere_else() -> None:
    for path in (ROOT / "guarded_agents").rglob("*.py"):
        spelt = set(re.findall(rf'"((?:{ROOTS})\.[a-z_.]+)"', path.read_text(encoding="utf-8")))
        assert path.name == "_names.py" or not spelt & DECLARED, path
