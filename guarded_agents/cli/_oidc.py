"""The file of ``--oidc``: whose ID tokens prove who somebody is.

::

    issuer: https://login.example.com
    audience: guarded-agents
    jwks: https://login.example.com/keys   # or a file beside this one
    name_claim: email                      # the claim that holds the approver's name
    group_claim: groups                    # with groups: the claim has to hold what the approver group maps to
    groups: {finance: fin-approvers}
"""

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import yaml
from pydantic import Field, ValidationError

from guarded_agents.cli._opened import read
from guarded_agents.errors import ConfigurationError
from guarded_agents.records import Record

if TYPE_CHECKING:
    from guarded_agents.identity import IdTokens


class _OidcFile(Record):
    issuer: str
    audience: str
    jwks: str
    name_claim: str = "email"
    group_claim: str | None = None
    groups: dict[str, str] = Field(default_factory=dict)


def id_tokens(path: Path) -> "IdTokens":
    """Return what proves by ID tokens as the file *path* says. Raises ConfigurationError."""
    from guarded_agents.identity import IdTokens, JwksFile, JwksUrl

    try:
        terms = _OidcFile.model_validate_json(orjson.dumps(yaml.safe_load(read(path, "settings", option="--oidc"))))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise _unusable(
            path, "issuer, audience, jwks and what may stand beside them", f"{where}: {first['msg']}"
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError, orjson.JSONEncodeError):
        raise _unusable(path, "YAML", "something else") from None
    is_address = terms.jwks.startswith(("https://", "http://"))
    return IdTokens(
        issuer=terms.issuer,
        audience=terms.audience,
        keys=JwksUrl(terms.jwks) if is_address else JwksFile(path.parent / terms.jwks),
        name_claim=terms.name_claim,
        group_claim=terms.group_claim,
        groups=terms.groups,
    )


def _unusable(path: Path, expected: str, got: str) -> ConfigurationError:
    return ConfigurationError(str(path), expected=expected, got=got, action="correct the file")


__all__ = ["id_tokens"]
