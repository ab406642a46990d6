"""``screen_response``: the model's last answer, before a checkpoint or the user's application takes it.

It is part of the model node, so that it costs no super-step and what is taken out was never saved.
"""

from dataclasses import dataclass, replace

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from guarded_agents.nodes._plan import said
from guarded_agents.nodes._services import Services, thread_of


@dataclass(frozen=True, slots=True)
class ScreenResponse:
    """What the model node returns, screened."""

    services: Services

    def __call__(self, output: object, config: RunnableConfig) -> object:
        """Return *output* with its last answer without what hides in it or would carry data out. Never raises.

        A message that makes calls is no answer; the same object comes back where nothing changes.
        """
        message = said(output)
        if message is None or message.tool_calls:
            return output
        kept = self.services.screening.responded(thread_of(config), message)
        return output if kept is message else _with(output, message, kept)


def _with(output: object, message: AIMessage, kept: AIMessage) -> object:
    """Return *output*, a node's return value, with *kept* in the place of *message*."""
    if isinstance(output, Command):
        return replace(output, update=_with(output.update, message, kept))
    if isinstance(output, dict):
        return {**output, "messages": _with(output.get("messages"), message, kept)}
    if isinstance(output, list | tuple):
        return [kept if one is message else one for one in output]
    return kept if output is message else output
