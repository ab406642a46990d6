"""What is wrong with the words of a tool's definition, which every model is shown that knows the tool."""

from collections.abc import Iterable
from typing import Final, cast

from pydantic import JsonValue

from guarded_agents.catalog import ToolDefinition
from guarded_agents.nodes._leaves import strings
from guarded_agents.screen import Detector, Kind, Required, Stage, screen

UNREADABLE: Final = "screen:not-taken-apart"
"""The id of the finding of a value that could not be gone through string by string."""

_SUSPICIOUS: Final = frozenset({Kind.INJECTION, Kind.HIDING})


def suspicion(definition: ToolDefinition, detectors: Iterable[Detector]) -> str | None:
    """Return the id of a finding that keeps *definition* from being used, the first in order; None for none.

    That is one of hidden or instructing text, and any that requires something.
    """
    said: list[JsonValue] = [definition.name, definition.title or "", definition.description or ""]
    try:
        text = strings([*said, cast("JsonValue", definition.input_schema)]).whole
    except RecursionError:
        return UNREADABLE
    found = screen(text, stage=Stage.TOOL_DEFINITION, detectors=detectors).findings
    bad = [one.id for one in found if one.kind in _SUSPICIOUS or one.required is not Required.NOTHING]
    return min(bad) if bad else None
