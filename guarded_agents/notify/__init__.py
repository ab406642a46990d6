"""How do people learn that something waits for them?

A notice says that a request waits, how much it matters, and where to look: never what would be sent.
It decides nothing and delays nothing; a notice that is lost leaves the request in the list of what waits.
Notices lie in the store's outbox and are delivered by `deliver`, which a worker calls. `Webhook` and
`AppriseNotifier` come with the extra ``notify`` and are loaded when they are first named.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from guarded_agents.errors import ConfigurationError
from guarded_agents.notify._notifier import Notifier
from guarded_agents.notify._outbox import Delivered, Outbox, deliver

if TYPE_CHECKING:
    from guarded_agents.notify._apprise import AppriseNotifier
    from guarded_agents.notify._webhook import Webhook

__all__ = ["AppriseNotifier", "Delivered", "Notifier", "Outbox", "Webhook", "deliver"]

_LOADED_LATE = {"AppriseNotifier": "_apprise", "Webhook": "_webhook"}


def __getattr__(name: str) -> object:
    """Return a notifier, loading what it sends with first (PEP 562). Raises ConfigurationError where it is missing."""
    if name not in _LOADED_LATE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        module = import_module(f"{__name__}.{_LOADED_LATE[name]}")
    except ImportError as error:
        raise ConfigurationError(
            f"notifier {name}",
            expected="apprise, httpx and standardwebhooks",
            got=f"no module {error.name}" if error.name else "modules that do not fit together",
            action="install guarded-agents[notify]",
        ) from error
    return getattr(module, name)
