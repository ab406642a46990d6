"""What opens a guard when it is entered, and closes it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Final

from anyio.from_thread import start_blocking_portal

from guarded_agents.assembly._opening import Files, Settings
from guarded_agents.errors import GuardError
from guarded_agents.keys import RootKey
from guarded_agents.stores import Store
from guarded_agents.transport import ToolTransport

if TYPE_CHECKING:
    from guarded_agents.assembly import Guard

DRAIN_S: Final = 5.0  # how long closing waits for what is being sent


class GuardOpener(AbstractContextManager["Guard"], AbstractAsyncContextManager["Guard"]):
    """Opens a guard when it is entered: ``async with`` on the running loop, ``with`` on one in a thread of its own."""

    def __init__(
        self, settings: Settings, make: "Callable[[Files, RootKey, Store, ToolTransport, Settings], Guard]"
    ) -> None:
        """Keep the settings and what makes the guard; nothing is opened yet."""
        self._settings, self._make = settings, make
        self._guard: Guard | None = None
        self._opened = ExitStack()

    async def __aenter__(self) -> "Guard":
        """Open the guard on the running event loop."""
        settings = self._settings
        files, transport, is_new = settings.read(), settings.open_transport(), settings.is_new
        store = settings.open_store()
        try:
            root, signer = settings.load_root_key(create=is_new), settings.signer(store)
        except GuardError:
            await store.aclose()
            raise
        self._guard = self._make(files, root, store, transport, settings)
        try:
            await self._guard.start(signer)
        except BaseException:
            await self._guard.aclose(drain_s=0)
            raise
        return self._guard

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the guard; after an error or a cancellation at once, and what is being sent is in doubt later."""
        if self._guard is not None:
            await self._guard.aclose(drain_s=DRAIN_S if kind is None else 0)

    def __enter__(self) -> "Guard":
        """Open the guard on an event loop in a thread of its own, for synchronous applications."""
        with ExitStack() as opened:
            portal = opened.enter_context(start_blocking_portal())
            guard = opened.enter_context(portal.wrap_async_context_manager(self))
            self._opened = opened.pop_all()
        return guard

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the guard and its thread."""
        self._opened.__exit__(kind, error, trace)
