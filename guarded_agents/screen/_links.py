"""Addresses in an answer that would carry data out when it is shown or clicked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from guarded_agents.errors import ConfigurationError
from guarded_agents.screen._finding import Finding, Kind, Stage

MAX_QUERY: Final = 128
"""Characters of a query that goes to an allowed host: enough for a search or a page, little for a document."""
MAX_LINKS: Final = 4_000
"""Looked at in an answer, at some microseconds each. What follows is neutralised without looking."""
LINK: Final = "exfiltration:link"

_MAX_SHOWN: Final = 80
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})(?::[0-9]{1,5})?")

# Where an address may begin: Markdown's inline and reference destinations (CommonMark 0.31.2 sections 6.3 and 4.7), a
# tag or autolink (6.5, 6.6), a bare address (GFM 6.9). Each by a letter alone, so that the search skips to it.
_CANDIDATE: Final = re.compile(
    r"\](?P<opens>[(:])\s*+(?P<target><[^<>\n]*+>?|[^\s<>()\]]*+(?>(?:\([^\s<>()\]]*+\)[^\s<>()\]]*+)*))"
    r"|<(?=[A-Za-z/!?])(?:/?(?P<name>[A-Za-z][^\s/<>=:\"'&]*+)[^<>=:\"'&]*+>)?"
    r"|:(?P<bare>//[^\s<\[\]]*+)"
    r"|w(?<![\w.]w)[wW]{2}\.[^\s<\[\]]++|W(?<![\w.]W)[wW]{2}\.[^\s<\[\]]++",
    re.ASCII,  # no other white space ends an address
)
_AUTOLINK: Final = re.compile(r"[^\s<>=]*+>", re.ASCII)
_SCHEME: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+.-"
_MAX_SCHEME: Final = 64
# A reference that cannot leave the site: no scheme, and no second slash in front. A character reference or an escape
# (CommonMark sections 2.4, 2.5) could be either, but not after ? or #.
_RELATIVE: Final = re.compile(r"(?:[?#]\S*|/?[^\s:&\\/?#<>][^\s:&\\?#<>]*(?:[?#]\S*)?|/)?")
_ENDS: Final = ".,;:!?'\"*_~)`>"  # of a sentence or of markup, after an address
# Without an attribute they run, load or change how what follows is read (HTML sections 4.12 and 13.2.5).
_RUNS: Final = re.compile(
    r"applet|base|embed|form|frame|frameset|iframe|link|math|meta|noembed|noframes|noscript|object|option|plaintext"
    r"|portal|script|select|style|svg|template|textarea|title|xmp",
    re.IGNORECASE,
)
_HTTP: Final = re.compile(r"https?://", re.IGNORECASE)
_CRUDE: Final = (("<", "&lt;"), ("](", "] ("), ("]:", "] :"), ("://", ": //"))
_WWW: Final = re.compile(r"www\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Neutralised:
    """An answer whose addresses lead to allowed hosts alone, and what was found. Its text form does not show it."""

    text: str
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Neutralised({len(self.text)} characters, {self.findings!r})"


class LinkScreen:
    """Takes addresses out of an answer that could carry data to somebody else."""

    def __init__(self, *, hosts: Iterable[str], max_query: int = MAX_QUERY) -> None:
        """Allow *hosts*: names, with a port where it is not the scheme's; none is allowed where there are none.

        A name stands for itself alone, not for what is below it. Raises ConfigurationError for what is no host.
        """
        self._hosts: Final = frozenset(host.lower() for host in hosts)
        self._max_query: Final = max_query
        for host in self._hosts:
            if not _HOST.fullmatch(host):
                raise ConfigurationError(
                    "allowed hosts", expected="names like docs.example.com", got="another", action="correct the list"
                )

    def neutralise(self, text: str, *, stage: Stage = Stage.RESPONSE) -> Neutralised:
        """Return *text*, cleaned before, without addresses that could carry data out. Linear in its length.

        Kept are http and https addresses of an allowed host, without credentials and with a query of at most
        *max_query* characters, and in Markdown what stays on the site. Another address becomes ``link removed
        (host)``, the host not to be clicked; its link or image becomes text. In HTML a tag with an attribute, one
        that runs or loads something, and a declaration lose their ``<``, whatever address they have: what browsers
        make of a broken tag is not for an answer to try. In a code block too: where one ends, renderers disagree.
        An address without scheme that is neither in a link nor begins with ``www.`` is text to CommonMark and GFM.
        """
        pieces: list[str] = []
        at = seen = removed = 0
        for _ in range(MAX_LINKS):
            match = _CANDIDATE.search(text, seen)
            if match is None:
                break
            start, instead, seen = self._look(text, match, at)
            if instead is not None:
                if at < start and text[start - 1] == "<":  # it may have been part of what goes: no tag is made of ours
                    start, instead = start - 1, f"&lt;{instead}"
                pieces += text[at:start], instead
                at, removed = seen, removed + 1
        else:
            pieces += text[at:seen], _crude(text[seen:])
            at, removed = len(text), removed + 1
        if not removed:
            return Neutralised(text, ())
        pieces.append(text[at:])
        finding = Finding(id=LINK, kind=Kind.EXFILTRATION, stage=stage, count=removed)
        return Neutralised("".join(pieces), (finding,))

    def _look(self, text: str, match: re.Match[str], floor: int) -> tuple[int, str | None, int]:
        """Return where *match* begins, what stands in its place (None: it may stay), and where to look on from.

        What stays is looked through again: a target may be text to another renderer.
        """
        start = match.start()
        if match["opens"]:
            return start, *self._target(text, match)
        if text[start] == "<":
            plain = match["name"] is not None and not _RUNS.fullmatch(match["name"])
            return start, None if plain or self._is_autolink(text, start + 1) else "&lt;", start + 1
        if match["bare"] is None:
            return start, *self._bare(f"https://{match[0]}", text, match.end())
        before = text[max(floor, start - _MAX_SCHEME) : start]
        scheme = before[len(before.rstrip(_SCHEME)) :]
        if not scheme and match["bare"] == "//":
            return start, None, match.end()
        return start - len(scheme), *self._bare(f"{scheme}:{match['bare']}", text, match.end())

    def _target(self, text: str, match: re.Match[str]) -> tuple[str | None, int]:
        written, begin = match["target"], match.start("target")
        target = written.removeprefix("<").removesuffix(">")
        after = _goes_on(text, match.end("target"))
        if self._is_allowed(target + after) or (target is written and _RELATIVE.fullmatch(target)):
            return None, begin
        parted = " (" if match["opens"] == "(" else ":"
        return f"]{parted}{text[match.end('opens') : begin]}{_removed(target)}", match.end()

    def _bare(self, address: str, text: str, end: int) -> tuple[str | None, int]:
        kept, after = address.rstrip(_ENDS), _goes_on(text, end)
        if self._is_allowed(address + after if after else kept):
            return None, end
        return _removed(address) + address[len(kept) :], end

    def _is_autolink(self, text: str, begin: int) -> bool:
        match = _AUTOLINK.match(text, begin)
        return match is not None and self._is_allowed(match[0][:-1])

    def _is_allowed(self, address: str) -> bool:
        scheme = _HTTP.match(address)
        if scheme is None or "://" in address[scheme.end() :]:  # some would make two of it
            return False
        host = _HOST.match(address, scheme.end())
        if host is None or address[host.end() : host.end() + 1] not in ("", "/", "?", "#"):
            return False
        _, asks, query = address.partition("?")
        return host[0].lower() in self._hosts and (not asks or len(query) <= self._max_query)


def _goes_on(text: str, end: int) -> str:
    """Return the bracket with which an address may go on at *end*, as ``https://allowed]@other/`` does to some.

    An angle does where it loses its meaning, here or in a link.
    """
    return text[end : end + 1] if text[end : end + 1] in ("[", "]", "<", ">") else ""


def _removed(address: str) -> str:
    """Return what is said in the place of *address*: its host, without what makes a link of it."""
    host = _HOST.match(address.partition("//")[2])
    return f"link removed ({host[0][:_MAX_SHOWN].replace('.', '[.]') if host else 'no host'})"


def _crude(text: str) -> str:
    for sign, parted in _CRUDE:
        text = text.replace(sign, parted)
    return _WWW.sub("www[.]", text)
