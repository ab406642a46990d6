"""What other conventions call the same: attributes beside our own, for backends that know those. Off by default."""

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Final

from opentelemetry.util.types import AttributeValue

from guarded_agents.errors import ConfigurationError
from guarded_agents.records import BoundCall, Decision
from guarded_agents.telemetry._names import (
    ALLOW,
    BLOCK,
    COMPONENT,
    DENY,
    ESCALATE,
    GUARDRAIL_ACTION,
    GUARDRAIL_CODE,
    GUARDRAIL_COMPONENT,
    GUARDRAIL_POLICY,
    GUARDRAIL_RULE,
    GUARDRAIL_SUBTYPE,
    GUARDRAIL_TARGET,
    GUARDRAIL_TARGET_ID,
    GUARDRAIL_VERDICT,
    INFERENCE_INPUT,
    INFERENCE_INPUT_TYPE,
    INFERENCE_KIND,
    INFERENCE_OUTPUT,
    INFERENCE_OUTPUT_TYPE,
    INFERENCE_SESSION,
    INFERENCE_TOOL,
    INPUT,
    JSON,
    TEXT,
    TOOL_ARGUMENTS,
    TOOL_CALL,
    TOOL_RESULT,
    InferenceKind,
    Stage,
)
from guarded_agents.telemetry._words import call_id_of, spelt, tool_of

Shown = Callable[[str, str], dict[str, AttributeValue]]
"""Returns the attributes that show a call's arguments (JSON) and its result, both redacted and cut."""


class Semconv(StrEnum):
    """A convention whose attributes spans carry beside our own."""

    GUARDRAIL = "guardrail"  # gen_ai.guardrail.*: OpenTelemetry's draft, semantic-conventions-genai 427
    OPENINFERENCE = "openinference"  # what Phoenix reads, and others beside


_CHAINS: Final = (Stage.EXECUTE, Stage.WAKE)  # they check nothing themselves


class Also:
    """What is said beside our own attributes, by the conventions asked for."""

    def __init__(self, conventions: Collection[Semconv]) -> None:
        """Take the *conventions*, of which there is at least one."""
        self._guardrail = Semconv.GUARDRAIL in conventions
        self._inference = Semconv.OPENINFERENCE in conventions

    def of_call(self, call: BoundCall, decision: Decision, *, is_ours: bool) -> dict[str, AttributeValue]:
        """Return what is said of an ``execute_tool`` span; one that is not *is_ours* keeps its kind."""
        said = self.of_decision(call, decision)
        if self._inference:
            said[INFERENCE_TOOL] = tool_of(call)
            if is_ours:
                said |= self.of_thread(call.key.thread)
                said[INFERENCE_KIND] = (InferenceKind.TOOL if decision.permitted else InferenceKind.GUARDRAIL).value
        return said

    def of_decision(self, call: BoundCall, decision: Decision, *, is_held: bool = False) -> dict[str, AttributeValue]:
        """Return what is said of a decision; *is_held* where a person is asked before anything happens."""
        if not self._guardrail:
            return {}
        verdict, action = (ALLOW, ALLOW) if decision.permitted else (DENY, BLOCK)
        return {
            GUARDRAIL_COMPONENT: COMPONENT,
            GUARDRAIL_TARGET: INPUT,
            GUARDRAIL_SUBTYPE: TOOL_CALL,
            GUARDRAIL_TARGET_ID: call_id_of(call),
            GUARDRAIL_VERDICT: verdict,
            GUARDRAIL_ACTION: ESCALATE if is_held else action,
            GUARDRAIL_CODE: decision.reason.value,
            GUARDRAIL_POLICY: decision.policy,
            GUARDRAIL_RULE: decision.rule,
        }

    def of_stage(self, stage: Stage) -> dict[str, AttributeValue]:
        """Return what is said of a span ``guard {stage}``."""
        if not self._inference:
            return {}
        return {INFERENCE_KIND: (InferenceKind.CHAIN if stage in _CHAINS else InferenceKind.GUARDRAIL).value}

    def of_thread(self, thread: str) -> dict[str, AttributeValue]:
        """Return what is said of *thread*, by which a backend puts traces together."""
        return {INFERENCE_SESSION: spelt(thread)} if self._inference else {}

    def of_contents(self, arguments: str, result: str) -> dict[str, AttributeValue]:
        """Return what shows *arguments* and *result*; see `Shown`."""
        said = plainly(arguments, result)
        if self._inference:
            said |= {
                INFERENCE_INPUT: arguments,
                INFERENCE_INPUT_TYPE: JSON,
                INFERENCE_OUTPUT: result,
                INFERENCE_OUTPUT_TYPE: TEXT,
            }
        return said


def plainly(arguments: str, result: str) -> dict[str, AttributeValue]:
    """Return what shows *arguments* and *result* by OpenTelemetry's own convention; see `Shown`."""
    return {TOOL_ARGUMENTS: arguments, TOOL_RESULT: result}


def parse_semconv(names: Collection[str]) -> frozenset[Semconv]:
    """Return the conventions of these *names*. Raises ConfigurationError for one that is not known."""
    known = tuple(convention.value for convention in Semconv)
    is_set = not isinstance(names, str)
    unknown = next((name for name in names if name not in known), None) if is_set else names
    if unknown is not None:
        raise ConfigurationError(
            "semconv",
            expected=f"a set of {', '.join(known)}",
            got=repr(unknown) if is_set else "a string",
            action="name only those, or leave it out",
        )
    return frozenset(map(Semconv, names))
