"""What it says of a text that something was hidden in it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from guarded_agents.screen._clean import NOTHING_REMOVED, CleanText
from guarded_agents.screen._finding import Finding, Kind, Required, Stage

# A text gets tags and stray selectors only from somebody who writes a message in them (nobody types one). The others
# come along with copied text and in ordinary files: they are gone, and counted.
_REQUIRED: Final[Mapping[str, Required]] = MappingProxyType({"tags": Required.QUARANTINE, "selectors": Required.ASK})


class HidingDetector:
    """Finds what `clean` removed."""

    def detect(self, text: CleanText, *, stage: Stage) -> tuple[Finding, ...]:
        """Return a finding for each kind of character that was removed from *text*, sorted by id."""
        if text.removed is NOTHING_REMOVED:
            return ()
        return tuple(
            Finding(
                id=f"hiding:{kind}",
                kind=Kind.HIDING,
                stage=stage,
                count=count,
                required=_REQUIRED.get(kind, Required.NOTHING),
            )
            for kind, count in sorted(text.removed)
            if count
        )
