"""The digest over exactly the entries that decide a tool (DESIGN I2)."""

from hashlib import sha256

import rfc8785
from pydantic import JsonValue

from guarded_agents.policy._file import Policy


class EntryDigests:
    """The entry digests of one policy, each made once: a decision about a tool costs one look-up."""

    def __init__(self, policy: Policy) -> None:
        """Index what the digests share: exceptions by tool, holders by scope."""
        self._policy = policy
        self._made: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._holders: dict[str, str] = {}
        self._exceptions: dict[str, list[JsonValue]] = {}
        for exception in policy.exceptions:
            self._exceptions.setdefault(exception.allows, []).append(exception.model_dump(mode="json"))
        self._by_scope: dict[str, list[JsonValue]] = {}
        for name, entry in sorted(policy.principals.items()):
            tenants: JsonValue = None if entry.tenants is None else list(entry.tenants)
            for scope in entry.scopes:
                self._by_scope.setdefault(scope, []).append([name, tenants])

    def of(self, key: str) -> str:
        """Return the digest (hex SHA-256 over RFC 8785) of what decides the tool *key*, "server/tool".

        Covered are its entry, its exceptions, the approver group and its backup, and the principals
        that have its scope. A tool that the policy does not know has the digest of no entry.
        """
        known = self._made.get(key)
        if known is None:
            known = _digest(self._entries(key))
            if key in self._policy.tools:  # names come from the model: what is unknown is not kept
                self._made[key] = known
        return known

    def _entries(self, key: str) -> JsonValue:
        entry = self._policy.tools.get(key)
        if entry is None:
            return {"tool": key, "entry": None}
        group = None if entry.approval is None else self._group(entry.approval.approvers)
        return {
            "tool": key,
            "entry": entry.model_dump(mode="json"),
            "exceptions": self._exceptions.get(key, []),
            "approvers": group,
            "holders": self._holders_of(entry.scope),
        }

    def _group(self, name: str) -> str:
        if name not in self._groups:
            group = self._policy.approvers[name]
            backup = None if group.backup is None else self._policy.approvers[group.backup]
            self._groups[name] = _digest(
                {
                    "name": name,
                    "group": group.model_dump(mode="json"),
                    "backup": None if backup is None else backup.model_dump(mode="json"),
                }
            )
        return self._groups[name]

    def _holders_of(self, scope: str) -> str:
        if scope not in self._holders:
            self._holders[scope] = _digest(self._by_scope.get(scope, []))
        return self._holders[scope]


def _digest(value: JsonValue) -> str:
    return sha256(rfc8785.dumps(value)).hexdigest()
