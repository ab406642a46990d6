"""Notices by mail, Slack, Teams, PagerDuty and what else Apprise knows."""

from collections.abc import Mapping, Sequence
from typing import Final

from apprise import Apprise, AppriseAsset

from guarded_agents.errors import ConfigurationError, DeliveryError
from guarded_agents.notify._notifier import text_of
from guarded_agents.records import Notice

_EVERYBODY: Final = ""


class AppriseNotifier:
    """Sends each notice as a short text to Apprise addresses (``mailto://…``, ``slack://…``, ``pagerduty://…``).

    A notice is delivered when every address of its group has taken it; where one has not, all get it again.
    """

    def __init__(self, urls: Mapping[str, Sequence[str]] | Sequence[str], *, link: str | None = None) -> None:
        """Check the addresses; nothing is sent yet.

        *urls* are those of everybody, or of each approver group and delegate by name. In *link* ``{request}`` stands
        for the request's id. Raises ConfigurationError.
        """
        groups = urls if isinstance(urls, Mapping) else {_EVERYBODY: urls}
        self._addresses = {group: _addresses(group, listed) for group, listed in groups.items()}
        self._link = link

    async def notify(self, notice: Notice) -> None:
        """Send *notice* to the addresses of those it is for. Raises DeliveryError.

        It is permanent where the group or delegate has no address.
        """
        addresses = self._addresses.get(notice.to, self._addresses.get(_EVERYBODY))
        if addresses is None:
            raise DeliveryError(
                f"notice to {notice.to}",
                expected="an Apprise address",
                got="none for that name",
                action="add one",
                is_permanent=True,
            )
        text = text_of(notice, self._link)
        if not await addresses.async_notify(body=text.body, title=text.subject):
            raise DeliveryError(
                f"notice to {notice.to}",
                expected="every address to take it",
                got="one that did not",
                action="it is tried again; Apprise's own log names the address",
            )


def _addresses(group: str, urls: Sequence[str]) -> Apprise:
    # In memory: nothing of a notice or an address is written to this machine's disk.
    addresses = Apprise(asset=AppriseAsset(storage_mode="memory"))
    for place, url in enumerate(urls):
        if not addresses.add(url):  # its text may hold a password, so that its place is all that is told
            raise _unusable(group, f"no such address at place {place}")
    if not urls:
        raise _unusable(group, "none")
    return addresses


def _unusable(group: str, got: str) -> ConfigurationError:
    return ConfigurationError(
        f"Apprise addresses of {group or 'everybody'}",
        expected="addresses that Apprise knows",
        got=got,
        action="see its documentation",
    )
