"""Fakes for your own tests: a scripted model, a clock that stands still, and an in-memory MCP server.

None of them weakens a guard: they stand where a model, a clock or a server stands, and are
guarded like the real ones.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import InstanceOf

from guarded_agents.errors import ConfigurationError

if TYPE_CHECKING:
    from mcp.client.session import ClientSession
    from mcp.server.fastmcp import FastMCP


class ScriptedModel(BaseChatModel):
    """A chat model that answers from a script, for runs without a key.

    It keeps no position: the reply depends only on the messages that it is shown. Its index is the
    number of model messages after the newest human message, so a replay, a fork or a second
    process gets the same reply, and each new human message starts the script again. A reply is a message
    or a function of the messages. Every reply is a fresh copy under a fresh message id, as real models send it.
    Raises ConfigurationError where the script has no reply for that turn.
    """

    # InstanceOf: validating would try to build a message out of a function
    script: tuple[InstanceOf[AIMessage] | Callable[[Sequence[BaseMessage]], AIMessage], ...]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: object,
    ) -> ChatResult:
        del stop, run_manager, kwargs
        turn = turns_since_entry(messages)
        if turn >= len(self.script):
            raise ConfigurationError(
                "scripted model",
                expected=f"at most {len(self.script)} model turns",
                got=f"turn {turn + 1}",
                action="add a reply to the script",
            )
        reply = self.script[turn]
        message = reply.model_copy(deep=True) if isinstance(reply, AIMessage) else reply(messages)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: object,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model: a script names its tools itself."""
        del tools, tool_choice, kwargs
        return self


def turns_since_entry(messages: Sequence[BaseMessage]) -> int:
    """Return how many model messages follow the newest human message, 0 where none does."""
    turns = 0
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
        turns += isinstance(message, AIMessage)
    return turns


class FixedClock:
    """A clock that stands still until it is told to advance. Calling it returns the time (UTC, aware)."""

    def __init__(self, now: datetime = datetime(2026, 1, 5, 10, tzinfo=UTC)) -> None:
        """Start at *now*, an aware moment."""
        self._now = now.astimezone(UTC)

    def __call__(self) -> datetime:
        """Return where the clock stands (UTC)."""
        return self._now

    def advance(self, seconds: float) -> datetime:
        """Move by *seconds* and return where the clock stands then (UTC)."""
        self._now += timedelta(seconds=seconds)
        return self._now


class InMemoryServer:
    """A FastMCP server in this process: ``async with InMemoryServer(server) as session`` yields a client session.

    No process is started and no socket opened; the session is initialised. Needs the extra ``mcp``.
    """

    def __init__(self, server: "FastMCP") -> None:
        """Take the *server* to connect; nothing runs before the ``async with``."""
        self._server = server
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "ClientSession":
        """Start the server and return a session that is connected to it."""
        # Only transport/ imports mcp when it is loaded: guarded_agents.testing stays importable without the extra.
        from mcp.shared.memory import create_connected_server_and_client_session  # noqa: PLC0415  it comes with an extra

        return await self._stack.enter_async_context(create_connected_server_and_client_session(self._server))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Close the session and stop the server."""
        return await self._stack.__aexit__(kind, error, trace)


__all__ = ["FixedClock", "InMemoryServer", "ScriptedModel", "turns_since_entry"]
