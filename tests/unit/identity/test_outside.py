"""What an application writes to have its own directory asked: here one of the shape of an LDAP client."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from guarded_agents.errors import DirectoryError
from guarded_agents.identity import PolicyDirectory
from guarded_agents.policy import load_policy

POLICY = b"""
version: 1
principals: {desk-agent: {scopes: [refunds:write]}}
approvers: {finance: {external: true}, legal: {external: true}}
tools: {}
"""


# An LDAP client's search blocks, so it runs in a thread: the guard's loop goes on.
class LdapGroups:
    """The members of a group by e-mail address, from a directory server."""

    def __init__(self, search: Callable[[str, list[str]], list[dict[str, Any]]], groups: dict[str, str]) -> None:
        self._search, self._groups = search, groups

    async def members(self, group: str) -> frozenset[str]:
        """Return whom the server lists now. Escape what stands in a filter (RFC 4515); names here come from us."""
        if group not in self._groups:
            return frozenset()
        found = await asyncio.to_thread(self._search, f"(memberOf={self._groups[group]})", ["mail"])
        return frozenset(entry["mail"] for entry in found)


class LdapServerDownError(Exception):
    """What a client library raises."""


def down(query: str, wanted: list[str]) -> list[dict[str, Any]]:
    raise LdapServerDownError("bind as cn=admin with secret failed")


def entries(query: str, wanted: list[str]) -> list[dict[str, Any]]:
    assert query == "(memberOf=cn=approve-finance,ou=groups,dc=example,dc=com)"
    return [{"mail": "ana@example.com"}, {"mail": "raj@example.com"}]


GROUPS = {"finance": "cn=approve-finance,ou=groups,dc=example,dc=com"}


def directory(search: Callable[[str, list[str]], list[dict[str, Any]]]) -> PolicyDirectory:
    return PolicyDirectory(load_policy(POLICY, source="policy.yaml"), LdapGroups(search, GROUPS))


async def test_a_directory_of_ones_own_tells_who_may_answer() -> None:
    assert await directory(entries).members("finance") == {"ana@example.com", "raj@example.com"}
    assert await directory(entries).members("legal") == frozenset()


FAILURES = {
    "server-down": (down, "LdapServerDownError"),
    "entry-without-address": (lambda query, wanted: [{}], "KeyError"),
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("search", "got"), FAILURES.values(), ids=FAILURES)
async def test_its_failure_means_that_nobody_may_answer_now(search: Any, got: str) -> None:
    with pytest.raises(DirectoryError) as caught:
        await directory(search).members("finance")
    assert caught.value.got == got
    assert "secret" not in str(caught.value)
