"""What was checked on the way to a decision, for people who ask why."""

from typing import Final

from guarded_agents.records import Record


class Step(Record):
    """One check: which, by which rule, whether the call went on, and why."""

    check: str
    rule: str
    passed: bool
    why: str


class Trace:
    """Takes note of nothing. Deciding is the same code whether or not somebody wants to know why."""

    def note(self, check: str, rule: str, *, passed: bool, why: str) -> None:
        """Take note of one check."""

    def gate(self, check: str, rule: str, *, said: bool | None, passing: bool, held: bool = False) -> None:
        """Take note of a condition; *passing* is what it has to say for the call to go on."""


class Notes(Trace):
    """Keeps the steps in order."""

    def __init__(self) -> None:
        """Begin without steps."""
        self.steps: list[Step] = []

    def note(self, check: str, rule: str, *, passed: bool, why: str) -> None:
        """Keep one check."""
        self.steps.append(Step(check=check, rule=rule, passed=passed, why=why))

    def gate(self, check: str, rule: str, *, said: bool | None, passing: bool, held: bool = False) -> None:
        """Keep what a condition said; a held call goes on whatever a sound condition says."""
        passed = said is not None and (held or said is passing)
        self.note(check, rule, passed=passed, why=_WORDS[said] + (_HELD[said] if held else ""))


SILENT: Final = Trace()
_WORDS: Final = {True: "its condition is true", False: "its condition is false", None: "its condition failed"}
_HELD: Final = {True: ": a person decides", False: ": nobody needs to be asked", None: ""}
