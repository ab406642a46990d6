"""What stands for a tool: its definition, digest, annotations and reserved arguments."""

from hashlib import sha256
from typing import Any

import pytest
import rfc8785
from pydantic import ValidationError

from guarded_agents.catalog import (
    RESERVED_ARGUMENTS,
    Catalog,
    ToolDefinition,
    make_lock,
    of_observed,
    reserved_arguments,
    risk_raised,
)
from guarded_agents.records import ToolEffect
from guarded_agents.transport import ObservedTool

REFUND: dict[str, Any] = {
    "server": "payments",
    "name": "refund",
    "title": "Refund",
    "description": "Refund an order.",
    "input_schema": {"type": "object", "properties": {"amount_cents": {"type": "integer"}}},
    "output_schema": {"type": "object"},
    "annotations": {"destructiveHint": True},
}
CHANGES: dict[str, dict[str, Any]] = {
    "server": {"server": "payment"},
    "name": {"name": "refunds"},
    "title": {"title": None},
    "description": {"description": "Refund an order. "},
    "input schema": {"input_schema": {"type": "object", "properties": {"amount_cents": {"type": "number"}}}},
    "input schema without a default": {"input_schema": {}},
    "output schema": {"output_schema": None},
    "annotations": {"annotations": {}},
}


@pytest.mark.requirement("B14")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_to_any_part_changes_the_digest(change: dict[str, Any]) -> None:
    assert ToolDefinition(**REFUND).digest != ToolDefinition(**(REFUND | change)).digest


def test_the_digest_is_that_of_the_canonical_form_of_all_parts() -> None:
    assert ToolDefinition(**REFUND).digest == sha256(rfc8785.dumps(REFUND)).hexdigest()


def test_the_order_of_a_schemas_keys_does_not_matter() -> None:
    turned = {"properties": {"amount_cents": {"type": "integer"}}, "type": "object"}
    assert ToolDefinition(**REFUND).digest == ToolDefinition(**(REFUND | {"input_schema": turned})).digest


NO_DEFINITIONS: dict[str, dict[str, Any]] = {
    "server with a slash": {"server": "a/b"},
    "server without a name": {"server": ""},
    "no name": {"name": ""},
    "long name": {"name": "x" * 257},
    "surrogate": {"description": "\ud800"},
    "huge integer": {"input_schema": {"maximum": 2**53}},
    "NaN": {"annotations": {"x": float("nan")}},
    "infinite": {"annotations": {"x": float("inf")}},
    "no JSON": {"input_schema": {"x": object()}},
    "unknown part": {"icons": []},
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("change", NO_DEFINITIONS.values(), ids=NO_DEFINITIONS)
def test_what_has_no_canonical_form_is_no_definition(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ToolDefinition(**(REFUND | change))


def test_an_observed_tool_becomes_its_definition() -> None:
    assert of_observed(ObservedTool(**REFUND)) == ToolDefinition(**REFUND)
    without = REFUND | {"output_schema": None}
    assert of_observed(ObservedTool(**without)) == ToolDefinition(**without)


HOSTILE: dict[str, dict[str, Any]] = {
    name: change for name, change in NO_DEFINITIONS.items() if not {"server", "icons"}.intersection(change)
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_server_sends_becomes_a_definition_that_stays_in_quarantine(change: dict[str, Any]) -> None:
    definition = of_observed(ObservedTool(**(REFUND | change)))
    assert definition.server == "payments"
    catalog = Catalog(make_lock([definition]))  # even where somebody locks it
    assert [drift.kind.value for drift in catalog.observe("payments", [definition])] == ["unusable_schema"]
    assert catalog.quarantine_reason(definition.key) is not None


RAISED: dict[str, tuple[dict[str, Any], bool]] = {
    "nothing said": ({}, False),
    "said nothing of": ({"readOnlyHint": None, "destructiveHint": None, "title": "x"}, False),
    "read only": ({"readOnlyHint": True}, False),
    "read only, with the default of the other": ({"readOnlyHint": True, "destructiveHint": True}, False),
    "not destructive": ({"destructiveHint": False}, False),
    "destructive": ({"destructiveHint": True}, True),
    "not read only": ({"readOnlyHint": False}, True),
    "adds": ({"readOnlyHint": False, "destructiveHint": False}, True),
    "read only, or so": ({"readOnlyHint": "true"}, True),
    "one": ({"destructiveHint": 1}, True),
}


@pytest.mark.requirement("policy:annotations-only-raise")
@pytest.mark.parametrize(("annotations", "raised"), RAISED.values(), ids=RAISED)
def test_annotations_raise_the_risk_of_a_read_and_lower_none(annotations: dict[str, Any], raised: bool) -> None:
    assert risk_raised(annotations, effect=ToolEffect.READ) is raised
    assert not risk_raised(annotations, effect=ToolEffect.WRITE)  # it is consequential already
    assert not risk_raised(annotations, effect=ToolEffect.EGRESS)


@pytest.mark.requirement("I6")
def test_the_arguments_that_langchain_takes_for_itself_are_reserved() -> None:
    import inspect

    from langchain_core.tools import BaseTool, StructuredTool
    from langchain_core.tools.base import FILTERED_ARGS

    taken = {*FILTERED_ARGS, *inspect.signature(StructuredTool._run).parameters, "runtime"}
    assert {"config", "run_manager", "self"} <= taken
    assert taken - {"args", "kwargs"} == RESERVED_ARGUMENTS  # those two are variadic and take no name
    assert "tool_input" not in inspect.signature(BaseTool._run).parameters
    assert reserved_arguments(["runtime", "amount_cents", "config"]) == ("config", "runtime")
