"""What the authority check says of a call, and what it is told of a thread beside texts and results."""

from dataclasses import dataclass
from enum import StrEnum

from guarded_agents.records import Licence, Miss, Record


class Ruling(StrEnum):
    """Whether a call may run without asking anybody."""

    UNATTENDED = "unattended"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Authority:
    """What the check says. *use* has to be recorded when the call is admitted, attended or not; None for a read."""

    ruling: Ruling
    misses: tuple[Miss, ...] = ()
    use: Licence | None = None

    @property
    def for_model(self) -> str:
        """Return what the model is told: the arguments' names, and to ask the user. Empty where nothing is missing."""
        if not self.misses:
            return ""
        names = sorted({miss.argument for miss in self.misses} - {""})
        return f"Ask the user about: {', '.join(names)}." if names else "Ask the user whether to make this call."


class Plan(Record):
    """The consequential tools ("server/tool") that a run may use. *extensions* are those that a person added later.

    Each extension names, beside the tool, the statement in which the person agreed.
    """

    tools: tuple[str, ...] = ()
    extensions: tuple[tuple[str, str], ...] = ()

    def covers(self, tool: str) -> bool:
        """Return whether *tool* is in the plan."""
        return tool in self.covered

    @property
    def covered(self) -> tuple[str, ...]:
        """Return the tools of the plan and of its extensions, sorted."""
        return tuple(sorted({*self.tools, *(added for added, _ in self.extensions)}))

    def extended(self, tool: str, *, approval: str) -> "Plan":
        """Return the plan with *tool*, to which a person agreed in the statement *approval*; the caller proves that."""
        return Plan(tools=self.tools, extensions=tuple(sorted({*self.extensions, (tool, approval)})))
