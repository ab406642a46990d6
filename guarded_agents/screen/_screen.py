"""The way of one text through this room."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from guarded_agents.screen._clean import CleanText, Removed, clean
from guarded_agents.screen._finding import Detector, Finding, Kind, Required, Stage
from guarded_agents.screen._links import LinkScreen
from guarded_agents.screen._redact import Redactor

FAILED: Final = "screen:detector-failed"


@dataclass(frozen=True, slots=True)
class Screened:
    """What goes on of a text, what was taken out of it, and what was found. Its text form shows neither text."""

    text: str
    values: Mapping[str, str] = field(repr=False)  # behind its tokens; for the erasable side store
    removed: Removed
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        return f"Screened({len(self.text)} characters, {len(self.values)} values, {self.findings!r})"


def screen(
    text: str,
    *,
    stage: Stage,
    detectors: Iterable[Detector],
    redactor: Redactor | None = None,
    links: LinkScreen | None = None,
) -> Screened:
    """Return what goes on of *text*: cleaned, then redacted, then without links, and all findings in that order.

    Detectors see the text cleaned and not redacted. Links come last, since a token in brackets before a parenthesis
    makes one. It never raises: a detector that does has not screened, and its finding requires DENY.
    """
    cleaned = clean(text)
    findings = [finding for detector in detectors for finding in _found(detector, cleaned, stage)]
    kept = cleaned.text
    values: Mapping[str, str] = {}
    if redactor is not None:
        redacted = redactor.redact(cleaned, stage=stage)
        kept, values = redacted.text, redacted.values
        findings += redacted.findings
    if links is not None:
        neutralised = links.neutralise(kept, stage=stage)
        kept = neutralised.text
        findings += neutralised.findings
    return Screened(kept, values, cleaned.removed, tuple(findings))


def _found(detector: Detector, text: CleanText, stage: Stage) -> tuple[Finding, ...]:
    try:
        return detector.detect(text, stage=stage)
    except Exception:  # noqa: BLE001  whatever a detector of somebody else raises, it did not screen (FACTS B13)
        return (Finding(id=FAILED, kind=Kind.UNSCREENED, stage=stage, required=Required.DENY),)
