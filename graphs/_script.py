"""Words in which the scripted models of ``graphs`` are written."""

from collections.abc import Callable, Mapping, Sequence

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import JsonValue

Arguments = Mapping[str, JsonValue]
Reply = Callable[[Sequence[BaseMessage]], AIMessage]


def tool_name(tool: str) -> str:
    """Return the name under which the model is given *tool* (``server/tool``): bare, where no two servers share it."""
    return tool.partition("/")[2]


def propose(*calls: tuple[str, Arguments | Callable[[Sequence[BaseMessage]], Arguments]]) -> Reply:
    """Return a reply that proposes *calls*: each a tool (``server/tool``) and its arguments, or a function for them.

    The ids of the calls follow from the number of messages, so the same conversation gets the same ids.
    """

    def reply(messages: Sequence[BaseMessage]) -> AIMessage:
        proposed = [
            {
                "type": "tool_call",
                "id": f"call-{len(messages)}-{index}",
                "name": tool_name(tool),
                "args": dict(arguments(messages) if callable(arguments) else arguments),
            }
            for index, (tool, arguments) in enumerate(calls)
        ]
        return AIMessage(content="", tool_calls=proposed)

    return reply


def answer_to(tool: str, messages: Sequence[BaseMessage]) -> ToolMessage | None:
    """Return the newest answer of *tool* (``server/tool``), None where there is none."""
    name = tool_name(tool)
    return next((m for m in reversed(messages) if isinstance(m, ToolMessage) and m.name == name), None)


def report(tool: str, messages: Sequence[BaseMessage], *, done: str, undone: str) -> str:
    """Return *done* where the newest call of *tool* succeeded, otherwise *undone*, each with what was answered."""
    answer = answer_to(tool, messages)
    if answer is not None and answer.status == "success":
        return f"{done} {answer.text}"
    return f"{undone} {'No answer came.' if answer is None else answer.text}"


__all__ = ["Arguments", "Reply", "answer_to", "propose", "report", "tool_name"]
