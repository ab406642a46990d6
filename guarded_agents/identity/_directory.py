"""Who belongs to an approver group now: the policy's own lists, and a directory for the groups marked external."""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Final

from guarded_agents.approval import Directory
from guarded_agents.errors import ConfigurationError, DirectoryError
from guarded_agents.policy import Policy

DEFAULT_TIMEOUT_S: Final = 5.0


class PolicyDirectory:
    """The approver groups of a policy. *outside* is asked for those marked ``external``, and only for those.

    So a directory can neither add to a group whose members the policy lists nor stand in for one. An answer later
    than *timeout_s* seconds is none. Raises ConfigurationError where a group is external and there is no *outside*.
    """

    def __init__(
        self, policy: Policy, outside: Directory | None = None, *, timeout_s: float = DEFAULT_TIMEOUT_S
    ) -> None:
        self._policy, self._outside, self._timeout_s = policy, outside, timeout_s
        self._external = frozenset(policy.external_groups)
        if not timeout_s > 0:
            raise ConfigurationError(
                "directory", expected="timeout_s above 0", got=f"{timeout_s}", action="correct timeout_s"
            )
        if self._external and outside is None:
            raise ConfigurationError(
                f"approver group {min(self._external)}",
                expected="a directory, for the group is external",
                got="none",
                action="give one as directory=, or list the members in the policy file",
            )

    async def members(self, group: str) -> frozenset[str]:
        """Return who belongs to *group* now, nobody for one that the policy does not know.

        Raises DirectoryError where the directory fails, takes too long, or answers with anything but a set of names.
        """
        if self._outside is None or group not in self._external:
            return frozenset(self._policy.members(group))
        try:
            async with asyncio.timeout(self._timeout_s):
                found: object = await self._outside.members(group)
        except DirectoryError:
            raise
        except TimeoutError as error:
            raise _untold(group, "none in time") from error
        # What a directory of the application's own raises cannot be named here, and whatever it is leaves the
        # question open, which is a deny. Nothing in this block interrupts a graph or executes a call.
        except Exception as error:
            raise _untold(group, type(error).__name__) from error
        if not isinstance(found, AbstractSet) or not all(isinstance(name, str) for name in found):
            raise _untold(group, "something else")  # a str would pass for the set of its letters
        return frozenset(found)


def _untold(group: str, got: str) -> DirectoryError:
    return DirectoryError(
        f"directory, group {group}",
        expected="an answer: the set of its members",
        got=got,
        action="look at the directory, then try again",
    )
