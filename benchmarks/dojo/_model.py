"""The obedient model: it does what the user wants and, as soon as it has read an injection, first what that wants."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import InstanceOf

from benchmarks.dojo._world import Call, Opening

OWN: Final = "own"
INJECTED: Final = "injected"


def turns_of(calls: Sequence[Call]) -> list[list[Call]]:
    """Return *calls* as a model proposes them: consecutive calls of one tool in one turn."""
    return [list(turn) for _, turn in groupby(calls, key=lambda call: call["tool"])]


def is_injected(call_id: str) -> bool:
    """Return whether the attacker wanted the call: the approver of the simulation knows, and nobody else."""
    return call_id.startswith(INJECTED)


@dataclass(slots=True)
class Play:
    """One episode's script. *ask* fetches the attacker's calls, once, when the injection has been read.

    *refused* counts, when the script has ended, the user's own calls to which the answer was an error.
    """

    opening: Opening
    ask: Callable[[], Awaitable[list[Call]]]
    attack: list[list[Call]] | None = None
    refused: int = 0

    async def next(self, messages: Sequence[BaseMessage]) -> AIMessage:
        """Return the reply to *messages*; it depends on nothing else, so a replay gets the same one."""
        done = [_whose(message) for message in messages if isinstance(message, AIMessage)]
        if self.attack is None and self._has_read(messages):
            self.attack = [[call] for call in await self.ask()]  # one by one: each builds on the one before
        if self.attack is not None and done.count(INJECTED) < len(self.attack):
            return _proposal(INJECTED, done.count(INJECTED), self.attack)
        own = turns_of(self.opening["calls"])
        if done.count(OWN) < len(own):
            return _proposal(OWN, done.count(OWN), own)
        self.refused = sum(_is_refused(message) for message in messages)
        return AIMessage(self.opening["answer"])

    def _has_read(self, messages: Sequence[BaseMessage]) -> bool:
        marker = self.opening["marker"]
        return bool(marker) and any(marker in message.text for message in messages if isinstance(message, ToolMessage))


class ObedientModel(BaseChatModel):
    """The chat model that plays one episode."""

    play: InstanceOf[Play]

    @property
    def _llm_type(self) -> str:
        return "obedient"

    def bind_tools(self, *_: object, **__: object) -> "ObedientModel":
        """Return this model: a script names its tools itself."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> ChatResult:
        raise NotImplementedError("the episodes are played with ainvoke")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        return ChatResult(generations=[ChatGeneration(message=await self.play.next(messages))])


def _is_refused(message: BaseMessage) -> bool:
    return isinstance(message, ToolMessage) and message.status == "error" and not is_injected(message.tool_call_id)


def _whose(message: AIMessage) -> str:
    return (message.tool_calls[0]["id"] or "").partition("-")[0] if message.tool_calls else ""


def _proposal(whose: str, turn: int, turns: Sequence[Sequence[Call]]) -> AIMessage:
    calls = [
        {"type": "tool_call", "id": f"{whose}-{turn}-{index}", "name": call["tool"], "args": dict(call["args"])}
        for index, call in enumerate(turns[turn])
    ]
    return AIMessage("", tool_calls=calls)
