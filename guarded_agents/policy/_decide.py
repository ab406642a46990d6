"""The policy decision point: may this principal call this tool with these arguments now?"""

from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from guarded_agents.errors import PolicyError
from guarded_agents.policy._check import DEFAULT_DENY, first_fault
from guarded_agents.policy._digest import EntryDigests
from guarded_agents.policy._file import ExceptionEntry, Policy
from guarded_agents.policy._rule import ToolRule, compile_rule
from guarded_agents.policy._trace import SILENT, Notes, Step, Trace
from guarded_agents.records import AccessRequest, Decision, Effect, Reason, ToolRef


@runtime_checkable
class PolicyDecisionPoint(Protocol):
    """Whatever answers access requests: this policy, or a Cedar or OPA engine in its stead."""

    def decide(self, request: AccessRequest, *, now: datetime) -> Decision:
        """Return the decision at *now* (aware, UTC). Pure: the same question has the same answer."""
        ...


class RulePolicy:
    """Decides by a policy file. Indexed by (server, tool): ten tools or ten thousand cost the same."""

    def __init__(self, policy: Policy) -> None:
        """Index *policy*. Raises PolicyError where it could not have been loaded from a file."""
        fault = first_fault(policy)
        if fault is not None:
            where = ".".join(map(str, fault.path))
            raise PolicyError(policy.source, expected=f"{fault.expected} at {where}", got=fault.got)
        self.policy: Final = policy
        self._digests = EntryDigests(policy)
        # Names are compared whole: a server has no "/" in its name, so the first one separates.
        self._keys = {(server, tool): key for key in policy.tools for server, _, tool in (key.partition("/"),)}
        self._rules: dict[tuple[str, str], ToolRule] = {}
        self._exceptions: dict[str, tuple[ExceptionEntry, ...]] = {}
        for exception in policy.exceptions:
            self._exceptions[exception.allows] = (*self._exceptions.get(exception.allows, ()), exception)
        self._scopes = {name: frozenset(entry.scopes) for name, entry in policy.principals.items()}

    def decide(self, request: AccessRequest, *, now: datetime) -> Decision:
        """Return the decision at *now* (aware, UTC). Deny by default; no error leaves it."""
        rule = self._rules.get(request.tool[:2]) or self._rule(request.tool)
        if rule is None:
            return self._unknown_tool(request.tool, SILENT)
        refused = self._who(rule, request, SILENT)
        if refused is not None:
            return refused
        return rule.answer if rule.plain else rule.judge(request, now=now, trace=SILENT)

    def trace(self, request: AccessRequest, *, now: datetime) -> tuple[Decision, tuple[Step, ...]]:
        """Return the same decision and the checks that led to it, in order."""
        notes = Notes()
        rule = self._rule(request.tool)
        if rule is None:
            decision = self._unknown_tool(request.tool, notes)
        else:
            notes.note("tool", rule.way.unattended.rule, passed=True, why="the policy lists the tool")
            decision = self._who(rule, request, notes) or rule.judge(request, now=now, trace=notes)
        return decision, tuple(notes.steps)

    def entries_digest(self, tool_key: str) -> str:
        """Return the digest (hex) over exactly the entries that decide *tool_key*, "server/tool"."""
        return self._digests.of(tool_key)

    def _rule(self, tool: ToolRef) -> ToolRule | None:
        index = tool[:2]
        rule = self._rules.get(index)
        if rule is None and index in self._keys:
            key = self._keys[index]
            exceptions = self._exceptions.get(key, ())
            rule = compile_rule(self.policy, key, exceptions=exceptions, digest=self._digests.of(key))
            self._rules[index] = rule
        return rule

    def _unknown_tool(self, tool: ToolRef, trace: Trace) -> Decision:
        trace.note("tool", DEFAULT_DENY, passed=False, why="the policy does not list the tool")
        return Decision(
            Effect.DENY,
            DEFAULT_DENY,
            Reason.UNKNOWN_TOOL,
            "the policy does not list the tool",
            policy=self._digests.of(tool.key),
        )

    def _who(self, rule: ToolRule, request: AccessRequest, trace: Trace) -> Decision | None:
        """Return the deny of a principal that is unknown, in a wrong tenant, or without the scope."""
        asking = request.principal
        granted = self._scopes.get(asking.id)
        if granted is None:
            why = "the policy does not list the principal"
            trace.note("principal", DEFAULT_DENY, passed=False, why=why)
            return rule.deny(DEFAULT_DENY, Reason.UNKNOWN_PRINCIPAL, why)
        tenants = self.policy.principals[asking.id].tenants
        if tenants is not None and request.tenant not in tenants:
            why = "the policy does not list the principal for this tenant"
            trace.note("principal", DEFAULT_DENY, passed=False, why=why)
            return rule.deny(DEFAULT_DENY, Reason.UNKNOWN_PRINCIPAL, why)
        trace.note("principal", DEFAULT_DENY, passed=True, why="the policy lists the principal")
        if rule.scope in granted and rule.scope in asking.scopes:
            trace.note("scope", DEFAULT_DENY, passed=True, why=f"policy and caller both grant {rule.scope}")
            return None
        who = "the policy" if rule.scope not in granted else "the caller's token"
        why = f"{who} does not grant {rule.scope}"
        trace.note("scope", DEFAULT_DENY, passed=False, why=why)
        return rule.deny(DEFAULT_DENY, Reason.MISSING_SCOPE, why)
