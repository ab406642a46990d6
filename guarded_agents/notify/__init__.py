"""How do people learn that something waits for them?

A notice says that a request waits, how much it matters, and where to look: never what would be sent.
It decides nothing and delays nothing; a notice that is lost leaves the request in the list of what waits.
Notices lie in the store's outbox and are delivered by `deliver`, which a worker calls. `Webhook` and
`AppriseNotifier` come with the extra ``notify`` and are loaded when they are first named.
"""

from typing import TYPE_CHECKING

from guarded_agents._late import loads_late
from guarded_agents.notify._notifier import Notifier
from guarded_agents.notify._outbox import Delivered, Outbox, deliver

if TYPE_CHECKING:
    from guarded_agents.notify._apprise import AppriseNotifier
    from guarded_agents.notify._webhook import Webhook

__all__ = ["AppriseNotifier", "Delivered", "Notifier", "Outbox", "Webhook", "deliver"]

__getattr__ = loads_late(
    __name__,
    {"AppriseNotifier": "_apprise", "Webhook": "_webhook"},
    what="notifier",
    expected="apprise, httpx and standardwebhooks",
    action="install guarded-agents[notify]",
)
