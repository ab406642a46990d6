"""The shapes of user interfaces that were made for LangChain, and ours.

What comes back in one is an answer that nobody has signed: it goes into ``guard.prepare``, and the vote
that this returns is signed by the approver. An edit changes arguments only, a call that is renamed is
refused (DESIGN I8); in LangChain's own middleware it would run.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from pydantic import JsonValue

from guarded_agents import binding
from guarded_agents.errors import ApprovalError
from guarded_agents.records import Answer

_DECISIONS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = MappingProxyType(
    {  # LangChain's DecisionType: what each has to hold, and may
        "approve": (frozenset({"type"}), frozenset()),
        "edit": (frozenset({"type", "edited_action"}), frozenset()),
        "reject": (frozenset({"type"}), frozenset({"message"})),
        "respond": (frozenset({"type", "message"}), frozenset()),
    }
)


class Answered(NamedTuple):
    """What somebody answered in a user interface: the arguments of ``guard.prepare``, still to be signed."""

    request_id: str
    answer: Answer
    arguments: dict[str, JsonValue] | None = None
    text: str | None = None


class _Shown(NamedTuple):
    """What of an interrupt's payload was shown."""

    request_id: str
    name: str
    arguments: dict[str, JsonValue]
    description: str


def to_hitl_request(payloads: Sequence[Mapping[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return LangChain's ``HITLRequest`` for the values of interrupts (`interrupt_payload`), in their order.

    Raises ApprovalError for a value that shows no call (`changed_payload`): leave it out.
    """
    shown = [_shown(payload) for payload in payloads]
    return {
        "action_requests": [{"name": one.name, "args": one.arguments, "description": one.description} for one in shown],
        "review_configs": [{"action_name": one.name, "allowed_decisions": list(_DECISIONS)} for one in shown],
    }


def from_hitl_response(response: object, payloads: Sequence[Mapping[str, JsonValue]]) -> tuple[Answered, ...]:
    """Return what LangChain's ``HITLResponse`` answers to *payloads*: one decision each, in their order.

    Raises ApprovalError for any other form, and BindingError for arguments without a canonical form.
    """
    subject = "HITLResponse"
    fields = _closed(response, subject, needed=frozenset({"decisions"}))
    decisions = fields["decisions"]
    if not isinstance(decisions, list) or len(decisions) != len(payloads):
        raise _unread(subject, f"a list of {len(payloads)} decisions", "another")
    return tuple(_decided(decision, _shown(payload)) for decision, payload in zip(decisions, payloads, strict=True))


def _decided(decision: object, shown: _Shown) -> Answered:
    subject = f"decision on {shown.request_id}"
    kind = decision.get("type") if isinstance(decision, dict) else None
    if not isinstance(kind, str) or kind not in _DECISIONS:
        raise _unread(subject, f"one of {', '.join(_DECISIONS)}", "another")
    needed, optional = _DECISIONS[kind]
    fields = _closed(decision, subject, needed=needed, optional=optional)
    if kind == "edit":
        return Answered(shown.request_id, Answer.EDIT, _edited(fields["edited_action"], "name", shown, subject))
    text = fields.get("message")
    if not isinstance(text, str) and "message" in fields:
        raise _unread(subject, "a message that is text", "another")
    return Answered(shown.request_id, Answer(kind), None, text if isinstance(text, str) else None)


def to_agent_inbox(payload: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the ``HumanInterrupt`` of LangChain's Agent Inbox for the value of an interrupt.

    The inbox expects a list with this one. Raises ApprovalError for a value that shows no call.
    """
    shown = _shown(payload)
    return {
        "action_request": {"action": shown.name, "args": shown.arguments},
        "config": {"allow_ignore": True, "allow_respond": True, "allow_edit": True, "allow_accept": True},
        "description": shown.description,
    }


def from_agent_inbox(response: object, payload: Mapping[str, JsonValue]) -> Answered:
    """Return what one ``HumanResponse`` of the Agent Inbox answers to *payload*.

    ``accept`` approves, ``ignore`` rejects, ``response`` is told to the model instead of a result.
    Raises ApprovalError for any other form, and BindingError for arguments without a canonical form.
    """
    shown = _shown(payload)
    subject = f"response to {shown.request_id}"
    fields = _closed(response, subject, needed=frozenset({"type", "args"}))
    kind, args = fields["type"], fields["args"]
    if kind == "edit":
        return Answered(shown.request_id, Answer.EDIT, _edited(args, "action", shown, subject))
    if kind == "response" and isinstance(args, str):
        return Answered(shown.request_id, Answer.RESPOND, None, args)
    if kind == "ignore" and args is None:
        return Answered(shown.request_id, Answer.REJECT)
    if kind == "accept" and args is None:
        return Answered(shown.request_id, Answer.APPROVE)
    if kind == "accept":  # the inbox sends along what it showed
        if _canonical(_edited(args, "action", shown, subject)) != _canonical(shown.arguments):
            raise _unread(subject, "an accept of the arguments that were shown", "one of others")
        return Answered(shown.request_id, Answer.APPROVE)
    raise _unread(subject, "accept, ignore, response with a text, or edit", "another")


def _shown(payload: Mapping[str, JsonValue]) -> _Shown:
    request_id, name = payload.get("request_id"), payload.get("name")
    arguments, description = payload.get("args"), payload.get("description")
    if (
        not isinstance(request_id, str)
        or not isinstance(name, str)
        or not isinstance(arguments, dict)
        or not isinstance(description, str)
    ):
        raise _unread("interrupt", "the value of one that shows a call", "another", action="leave it out")
    return _Shown(request_id, name, arguments, description)


def _edited(action: object, name_key: str, shown: _Shown, subject: str) -> dict[str, JsonValue]:
    """Return the arguments of an edited action. Raises ApprovalError where it names another tool."""
    fields = _closed(action, subject, needed=frozenset({name_key, "args"}))
    if fields[name_key] != shown.name:
        raise _unread(subject, f"an edit of the arguments of {shown.name}", "another tool")
    return binding.parse(_canonical(fields["args"]))


def _canonical(arguments: object) -> bytes:
    return binding.canonical(arguments)


def _closed(
    value: object, subject: str, *, needed: frozenset[str], optional: frozenset[str] = frozenset()
) -> dict[str, object]:
    """Return *value* as an object with all the names *needed* and no other than those and the *optional* ones."""
    if not isinstance(value, dict) or not needed <= set(value) <= needed | optional:
        raise _unread(subject, f"an object with {', '.join(sorted(needed))}", "another")
    return {str(name): child for name, child in value.items()}


def _unread(subject: str, expected: str, got: str, *, action: str = "answer it again") -> ApprovalError:
    return ApprovalError(subject, expected=expected, got=got, action=action)
