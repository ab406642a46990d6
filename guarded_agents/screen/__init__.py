"""Does this text try to instruct the model, hide, or leak?

`screen` takes a text through the room: `clean` removes what hides in it, detectors look at it, a `Redactor` takes
values out, a `LinkScreen` takes addresses out of an answer. `raised` joins what findings require: it never lowers it.
`Spotlight` sets an untrusted text apart for the model. Filters miss most attacks (FACTS part C): all this adds friction
and evidence, and the control is where a value comes from (DESIGN section 7).
"""

from guarded_agents.screen._classifier import InjectionClassifier
from guarded_agents.screen._clean import CleanText, Removed, clean
from guarded_agents.screen._finding import Detector, Finding, Kind, Required, Stage, raised
from guarded_agents.screen._hiding import HidingDetector
from guarded_agents.screen._links import LinkScreen, Neutralised
from guarded_agents.screen._pattern import Pattern, PatternDetector
from guarded_agents.screen._redact import Redacted, Redactor, Restored, tokens_in
from guarded_agents.screen._screen import Screened, screen
from guarded_agents.screen._spotlight import Spotlight
from guarded_agents.screen._value import ValueKind
from guarded_agents.screen._wordings import WORDINGS

__all__ = [
    "WORDINGS",
    "CleanText",
    "Detector",
    "Finding",
    "HidingDetector",
    "InjectionClassifier",
    "Kind",
    "LinkScreen",
    "Neutralised",
    "Pattern",
    "PatternDetector",
    "Redacted",
    "Redactor",
    "Removed",
    "Required",
    "Restored",
    "Screened",
    "Spotlight",
    "Stage",
    "ValueKind",
    "clean",
    "raised",
    "screen",
    "tokens_in",
]
