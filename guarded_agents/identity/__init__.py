"""Who do the people of an approval belong to, and who says that it is them?

The answers come from outside: from a directory, and from an OpenID provider whose ID token names the statement.
ID tokens need PyJWT and httpx, which come with the extra ``oidc`` and are loaded when a name of theirs is first used.
"""

from typing import TYPE_CHECKING

from guarded_agents._late import loads_late
from guarded_agents.identity._directory import PolicyDirectory
from guarded_agents.identity._scheme import ByScheme

if TYPE_CHECKING:
    from guarded_agents.identity._id_tokens import IdTokens
    from guarded_agents.identity._key_set import KeySource
    from guarded_agents.identity._sources import JwksFile, JwksUrl

__all__ = [
    "ByScheme",
    "IdTokens",
    "JwksFile",
    "JwksUrl",
    "KeySource",
    "PolicyDirectory",
]

__getattr__ = loads_late(
    __name__,
    {"IdTokens": "_id_tokens", "JwksFile": "_sources", "JwksUrl": "_sources", "KeySource": "_key_set"},
    what="identity",
    expected="PyJWT 2.10 or later and httpx",
    action="install guarded-agents[oidc]",
)
