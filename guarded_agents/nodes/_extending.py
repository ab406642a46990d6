"""What people add to the plan of a thread. Nothing else extends one (DESIGN section 7)."""

from secrets import token_hex

from guarded_agents.approval import check_extension
from guarded_agents.binding import clipped
from guarded_agents.errors import ApprovalError, NotEligibleError, RequestClosedError, UnknownRequestError
from guarded_agents.nodes import _notes
from guarded_agents.nodes._services import Services
from guarded_agents.nodes._votes import require_signed
from guarded_agents.provenance import Plan
from guarded_agents.records import PlanExtension, SignedPlanExtension, ThreadFacts


class Extensions:
    """Prepares extensions of plans to sign, and takes signed ones."""

    def __init__(self, services: Services) -> None:
        """Keep the services."""
        self._services = services

    def prepare(self, thread: str, tool: str, *, approver: str, text: str | None) -> PlanExtension:
        """Return the statement that *approver* signs. Raises as `extend`, as far as it needs no proof."""
        self._facts(thread)
        self._group(thread, tool)
        self._require_outside(thread, tool)
        return PlanExtension(
            thread=thread, tool=tool, approver=approver, text=text, at=self._services.now(), nonce=token_hex(16)
        )

    async def extend(self, signed: SignedPlanExtension) -> Plan:
        """Verify *signed* in full, record it, and return the plan; the same again changes nothing.

        Raises the ApprovalError that says why it does not count, and DirectoryError.
        """
        require_signed(signed, SignedPlanExtension)
        services, extension = self._services, signed.extension
        thread, tool = extension.thread, extension.tool
        facts, group = self._facts(thread), self._group(thread, tool)
        now = services.now()
        heard = await services.people.heard(signed, None, asked=(group,), now=now)
        check_extension(extension, groups=heard.circle.groups, requester=facts.requester, now=now)
        if (tool, extension.nonce) not in self._plan(thread).extensions:
            self._require_outside(thread, tool)
        note = _notes.extended(signed, heard.credentials, entry=facts.entry, group=heard.group)
        await services.store.extend_plan(signed, facts.entry, note=note, now=services.now())
        return self._plan(thread)

    def _facts(self, thread: str) -> ThreadFacts:
        """Return who asks in *thread*, which is on record and has a plan. Raises UnknownRequestError, ApprovalError."""
        facts = self._services.store.thread(thread)
        if facts is None:
            raise UnknownRequestError(
                _subject(thread),
                expected="the id of a thread that is on record",
                got="another",
                action="look at what was refused with `guarded-agents audit tail`",
            )
        self._plan(thread)
        return facts

    def _plan(self, thread: str) -> Plan:
        plan = self._services.provenance.plan_of(thread)
        if plan is None:
            raise ApprovalError(
                _subject(thread), expected="a policy with a plan", got="one without", action="nothing is left to do"
            )
        return plan

    def _group(self, thread: str, tool: str) -> str:
        """Return the group that is asked about *tool*. Raises ApprovalError, and NotEligibleError for none."""
        provenance = self._services.provenance
        if not provenance.needs_plan(tool):
            raise ApprovalError(
                _subject(thread),
                expected="a tool of the policy that has an effect, as server/tool",
                got="another",
                action="name one of the policy's tools that writes or sends",
            )
        group = provenance.asked_about(tool)
        if group is None:
            raise NotEligibleError(
                _subject(thread),
                expected="a policy that says who is asked about this tool",
                got="one that names nobody",
                action="give the tool an approval, or name a group as `authority` in the policy",
            )
        return group

    def _require_outside(self, thread: str, tool: str) -> None:
        if self._plan(thread).covers(tool):
            raise RequestClosedError(
                _subject(thread), expected="a tool outside it", got="one that it holds", action="nothing is left to do"
            )


def _subject(thread: str) -> str:
    return f"plan of thread {clipped(thread)}"
