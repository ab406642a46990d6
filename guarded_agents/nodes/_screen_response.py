"""``screen_response``: the model's last answer, before the user's application takes it. It never raises for a text."""

from contextlib import suppress
from dataclasses import dataclass

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig

from guarded_agents.errors import StoreError
from guarded_agents.nodes._screen_input import InputState
from guarded_agents.nodes._services import Services, thread_of
from guarded_agents.nodes._told import GuardUpdate
from guarded_agents.state import GuardContext


@dataclass(frozen=True, slots=True)
class ScreenResponse:
    """The body of the node."""

    services: Services

    async def __call__(self, state: InputState, config: RunnableConfig, _: GuardContext | None) -> GuardUpdate:
        """Return the newest message without what hides in it or would carry data out; nothing where it is clean."""
        messages = state["messages"]
        message = messages[-1] if messages else None
        if not isinstance(message, AIMessage) or message.tool_calls:
            return {}
        thread = thread_of(config)
        kept = self.services.screening.responded(thread, message)
        if kept is message:
            return {}
        with suppress(StoreError):  # what is not on record counts as the strictest
            known = self.services.store.thread(thread)
            if known is not None:
                self.services.exposure.remember(thread, kept, known.labels)
        return {"messages": [kept]}
