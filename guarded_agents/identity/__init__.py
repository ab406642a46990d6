"""Who do the people of an approval belong to, and who says that it is them?

The answers come from outside: from a directory, and from an OpenID provider whose ID token names the statement.
ID tokens need PyJWT and httpx, which come with the extra ``oidc`` and are loaded when a name of theirs is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from guarded_agents.errors import ConfigurationError
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

_LOADED_LATE = {"IdTokens": "_id_tokens", "JwksFile": "_sources", "JwksUrl": "_sources", "KeySource": "_key_set"}


def __getattr__(name: str) -> object:
    """Return a name of the ID tokens, loading PyJWT first (PEP 562). Raises ConfigurationError where it is missing."""
    if name not in _LOADED_LATE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        module = import_module(f"{__name__}.{_LOADED_LATE[name]}")
    except ImportError as error:
        raise ConfigurationError(
            f"identity {name}",
            expected="PyJWT 2.10 or later and httpx",
            got=f"no module {error.name}" if error.name else "modules that do not fit together",
            action="install guarded-agents[oidc]",
        ) from error
    return getattr(module, name)
