"""The names under which the tools of many servers are shown to one model."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from typing import Final

ALIAS: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # what the model providers accept as the name of a function
_OTHER: Final = re.compile(r"[^a-zA-Z0-9_-]")


def aliases(tools: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """Return an alias for each (server, name), all different; the same tools get the same ones in any order.

    It is the name itself where it is an alias and no other tool has it, else ``server__tool``, else that cut and made
    different by a digest. Where two tools claim one alias, neither has it: none can shadow another.
    """
    form = dict.fromkeys(tools, 0)
    while True:
        found = {tool: _FORMS[form[tool]](*tool) for tool in form}
        claims = Counter(found.values())
        again = [
            tool
            for tool, alias in found.items()
            if form[tool] < len(_FORMS) - 1 and (claims[alias] > 1 or not ALIAS.fullmatch(alias))
        ]
        if not again:
            return found
        for tool in again:
            form[tool] += 1


def _bare(_server: str, name: str) -> str:
    return name


def _qualified(server: str, name: str) -> str:
    return f"{server}__{name}"


def _marked(server: str, name: str) -> str:
    return f"{_OTHER.sub('_', _qualified(server, name))[:47]}_{_digest(server, name)[:16]}"


def _digest_only(server: str, name: str) -> str:
    return f"tool_{_digest(server, name)[:58]}"


def _digest(server: str, name: str) -> str:
    return sha256(f"{server}/{name}".encode()).hexdigest()


_FORMS: Final[tuple[Callable[[str, str], str], ...]] = (_bare, _qualified, _marked, _digest_only)
