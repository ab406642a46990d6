"""Two definitions of a tool side by side, for the eyes of a reviewer."""

import difflib
import json
from typing import Final

from pydantic import JsonValue

from guarded_agents.catalog._definition import ToolDefinition
from guarded_agents.catalog._visible import visible, visible_json

_FIELDS: Final = ("title", "description", "input_schema", "output_schema", "annotations")
_FOLD: Final = 160  # characters; a longer line is folded before it is compared, so that nothing is out of sight
_MAX_LINES: Final = 1_000  # of a field that are compared (difflib can be quadratic), and of a diff that are shown


def definition_diff(before: ToolDefinition | None, after: ToolDefinition | None) -> str:
    """Return a unified diff for each field that differs, with what is invisible in them as escapes."""
    lines: list[str] = []
    for field in _FIELDS:
        old, new = _lines(before, field), _lines(after, field)
        if old != new:
            lines += _field_diff(field, old, new)
    if len(lines) > _MAX_LINES:
        lines[_MAX_LINES:] = [f"… {len(lines) - _MAX_LINES} more lines"]
    return "\n".join(lines)


def _field_diff(field: str, old: list[str], new: list[str]) -> list[str]:
    """Return the diff of one field; of a long one, of so many lines from the first on that differs."""
    if max(len(old), len(new)) <= _MAX_LINES:
        return _unified(field, old, new)
    both = zip(old, new, strict=False)
    start = next((at for at, (one, two) in enumerate(both) if one != two), min(len(old), len(new)))
    part = slice(start, start + _MAX_LINES)
    note = f"… compared from line {start + 1} on, {_MAX_LINES} lines of {len(old)} and {len(new)}"
    return [*_unified(field, old[part], new[part]), note]


def _unified(field: str, old: list[str], new: list[str]) -> list[str]:
    return list(difflib.unified_diff(old, new, f"reviewed {field}", f"offered {field}", lineterm=""))


def _lines(definition: ToolDefinition | None, field: str) -> list[str]:
    value: JsonValue = None if definition is None else getattr(definition, field)
    if value is None:
        return []
    if isinstance(value, str):
        lines = [visible(line) for line in value.split("\n")]
    else:
        lines = visible_json(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)).split("\n")
    return [line[at : at + _FOLD] for line in lines for at in range(0, max(len(line), 1), _FOLD)]
