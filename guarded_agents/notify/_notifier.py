"""What a notifier is, and what every notice says."""

from shlex import quote as in_shell
from typing import Final, NamedTuple, Protocol
from urllib.parse import quote

from guarded_agents.catalog import visible
from guarded_agents.moments import utc
from guarded_agents.records import Notice, NoticeKind

_SUBJECTS: Final = {
    NoticeKind.ASKED: "An approval waits",
    NoticeKind.ESCALATED: "An approval waits and was escalated",
    NoticeKind.DELEGATED: "An approval was delegated to you",
    NoticeKind.GLASS_BROKEN: "A call was approved by break-glass and needs a review",
    NoticeKind.REVIEW_OVERDUE: "The review of a break-glass approval is overdue",
}
_COMMANDS: Final = {NoticeKind.GLASS_BROKEN: "review", NoticeKind.REVIEW_OVERDUE: "review"}


class Notifier(Protocol):
    """Tells people of a request. It may be asked to tell the same notice (the same id) more than once."""

    async def notify(self, notice: Notice) -> None:
        """Tell *notice*. Raises DeliveryError where nobody was told."""
        ...


class Text(NamedTuple):
    """What a person reads."""

    subject: str
    body: str


def link_of(notice: Notice, link: str | None) -> str | None:
    """Return *link* with each ``{request}`` in it replaced by the id of the request."""
    return None if link is None else link.replace("{request}", quote(notice.request, safe=""))


def text_of(notice: Notice, link: str | None) -> Text:
    """Return *notice* in words: id, risk, for whom, and where to look. No tool, argument or message stands in it.

    Whoever can write the store can put any text into a notice: it begins no line of its own, and is no command.
    """
    where, request = link_of(notice, link), visible(notice.request)
    lines = [
        f"Request: {request}",
        f"Risk: {notice.risk.value}",
        f"For: {visible(notice.to)}",
        f"Since: {utc(notice.at)}",
        *([] if where is None else [f"Look at it: {where}"]),
        f"Or: guarded-agents approvals {_COMMANDS.get(notice.kind, 'show')} {in_shell(request)}",
    ]
    return Text(f"{_SUBJECTS[notice.kind]} ({notice.risk.value} risk)", "\n".join(lines))
