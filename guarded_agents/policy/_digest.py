"""The digest over exactly the entries that decide a tool (DESIGN I2)."""

from hashlib import sha256

import rfc8785
from pydantic import JsonValue

from guarded_agents.policy._file import Policy
from guarded_agents.records import ToolEffect


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
        glass = policy.break_glass
        self._glassed = frozenset[str]() if glass is None else frozenset(glass.tools)
        # Of its tools only the one that is asked about decides.
        self._glass = None if glass is None else _digest(glass.model_dump(mode="json", exclude={"tools"}))
        self._by_scope: dict[str, list[JsonValue]] = {}
        for name, entry in sorted(policy.principals.items()):
            tenants: JsonValue = None if entry.tenants is None else list(entry.tenants)
            for scope in entry.scopes:
                self._by_scope.setdefault(scope, []).append([name, tenants])

    def of(self, key: str) -> str:
        """Return the digest (hex SHA-256 over RFC 8785) of what decides the tool *key*, "server/tool".

        Covered are its entry, its exceptions, the approver group and its backup, whom to ask about
        values, the plan, the terms of breaking the glass
        where the tool is among them, and the principals that have its scope. How much may wait for a group is not
        covered: it decides no call, so it can be raised while calls wait. A tool that the policy does not know has
        the digest of no entry.
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
        asking, acts = self._policy.asking(entry), entry.effect is not ToolEffect.READ
        group = None if asking is None else self._group(asking.approvers)
        plan = self._policy.plan if acts else None
        return {
            "tool": key,
            "entry": entry.model_dump(mode="json"),
            "exceptions": self._exceptions.get(key, []),
            "approvers": group,
            "authority": None if asking is None or entry.approval is not None else asking.model_dump(mode="json"),
            "plan": None if plan is None else plan.model_dump(mode="json"),
            "break_glass": self._glass if key in self._glassed else None,
            "holders": self._holders_of(entry.scope),
        }

    def _group(self, name: str) -> str:
        if name not in self._groups:
            backup = self._policy.approvers[name].backup
            self._groups[name] = _digest(
                {
                    "name": name,
                    "group": self._members_of(name),
                    "backup": None if backup is None else self._members_of(backup),
                }
            )
        return self._groups[name]

    def _members_of(self, group: str) -> JsonValue:
        dumped: JsonValue = self._policy.approvers[group].model_dump(mode="json", exclude={"capacity"})
        return dumped

    def _holders_of(self, scope: str) -> str:
        if scope not in self._holders:
            self._holders[scope] = _digest(self._by_scope.get(scope, []))
        return self._holders[scope]


def _digest(value: JsonValue) -> str:
    return sha256(rfc8785.dumps(value)).hexdigest()
