"""Who belongs to a group: the policy's list, or for external groups the directory alone."""

import asyncio
from typing import Any

import pytest

from guarded_agents.approval import Directory
from guarded_agents.errors import ConfigurationError, DirectoryError, StoreError
from guarded_agents.identity import PolicyDirectory
from guarded_agents.policy import Policy, load_policy

POLICY = """
version: 1
principals:
  desk-agent: {scopes: [refunds:write]}
approvers:
  finance: {members: [ana@example.com, raj@example.com]}
  legal: {external: true}
tools: {}
"""


def policy(text: str = POLICY) -> Policy:
    return load_policy(text.encode(), source="policy.yaml")


class Outside:
    """A directory that answers or raises what it is given, and remembers what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []

    async def members(self, group: str) -> frozenset[str]:
        self.asked.append(group)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


async def test_a_group_of_the_policy_is_what_the_policy_lists() -> None:
    outside = Outside(frozenset({"mallory@example.com"}))
    directory: Directory = PolicyDirectory(policy(), outside)
    assert await directory.members("finance") == {"ana@example.com", "raj@example.com"}
    assert await directory.members("unheard-of") == frozenset()
    assert outside.asked == []


async def test_an_external_group_is_what_the_directory_says_each_time() -> None:
    outside = Outside(frozenset({"zoe@example.com"}))
    directory = PolicyDirectory(policy(), outside)
    assert await directory.members("legal") == {"zoe@example.com"}
    outside.answer = {"zoe@example.com", "bob@example.com"}
    found = await directory.members("legal")
    assert isinstance(found, frozenset)
    assert found == {"zoe@example.com", "bob@example.com"}
    outside.answer = frozenset()
    assert await directory.members("legal") == frozenset()
    assert outside.asked == ["legal"] * 3


BAD = {
    "error": (OSError("ldap://admin:secret@host"), "OSError"),
    "error-of-its-own": (type("LdapDown", (Exception,), {})("secret"), "LdapDown"),
    "error-of-ours": (StoreError("x", expected="y", got="secret", action="z"), "StoreError"),
    "its-own-time-out": (TimeoutError("secret"), "none in time"),
    "nothing": (None, "something else"),
    "text": ("ana", "something else"),
    "list": (["ana@example.com"], "something else"),
    "not-names": (frozenset({7}), "something else"),
}


@pytest.mark.requirement("I6")
@pytest.mark.parametrize(("answer", "got"), BAD.values(), ids=BAD)
async def test_a_directory_that_fails_has_not_answered(answer: object, got: str) -> None:
    with pytest.raises(DirectoryError) as caught:
        await PolicyDirectory(policy(), Outside(answer)).members("legal")
    assert (caught.value.subject, caught.value.got) == ("directory, group legal", got)
    assert "secret" not in str(caught.value)


async def test_what_the_directory_itself_says_of_its_failure_is_kept() -> None:
    said = DirectoryError("LDAP", expected="an answer", got="none", action="call the help desk")
    with pytest.raises(DirectoryError) as caught:
        await PolicyDirectory(policy(), Outside(said)).members("legal")
    assert caught.value is said


@pytest.mark.requirement("I6")
async def test_an_answer_that_takes_too_long_is_none() -> None:
    class Slow:
        async def members(self, group: str) -> frozenset[str]:
            await asyncio.Event().wait()
            return frozenset()

    with pytest.raises(DirectoryError, match="none in time"):
        await PolicyDirectory(policy(), Slow(), timeout_s=0.01).members("legal")


async def test_a_caller_that_is_cancelled_is_cancelled() -> None:
    with pytest.raises(asyncio.CancelledError):
        await PolicyDirectory(policy(), Outside(asyncio.CancelledError())).members("legal")


def test_an_external_group_needs_a_directory() -> None:
    with pytest.raises(ConfigurationError, match=r"approver group legal: .*give one as directory="):
        PolicyDirectory(policy())


async def test_a_policy_without_external_groups_needs_none() -> None:
    text = "\n".join(line for line in POLICY.splitlines() if "external" not in line)
    assert await PolicyDirectory(policy(text)).members("finance")


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan")], ids=["zero", "negative", "no-number"])
def test_the_time_to_answer_is_above_zero(timeout_s: float) -> None:
    with pytest.raises(ConfigurationError, match="timeout_s above 0"):
        PolicyDirectory(policy(), Outside(frozenset()), timeout_s=timeout_s)
