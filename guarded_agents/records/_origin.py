"""Who asks, and where a text comes from."""

from enum import StrEnum

from guarded_agents.records._base import Record


class Principal(Record):
    """Who asks, and with which OAuth scopes (RFC 6749 section 3.3).

    *acting_for* is whom it asks for. It has to be spelt as that person's name as an approver is, for by it they are
    kept from approving (case, compatibility forms and unseen characters aside: ``mailto:eve@…`` is nobody's name).
    """

    id: str
    scopes: tuple[str, ...] = ()  # empty means none, as everywhere: no value means "all"
    acting_for: str | None = None


class Integrity(StrEnum):
    """Whether a text may come from somebody who is not the user."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Confidentiality(StrEnum):
    """Who may read a text, from everybody to few."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


class Labels(Record):
    """The labels of a text, or of a thread: the join over all that it was exposed to."""

    integrity: Integrity = Integrity.UNTRUSTED
    confidentiality: Confidentiality = Confidentiality.RESTRICTED

    def join(self, other: "Labels") -> "Labels":
        """Return the stricter of both in each part; a label never loosens."""
        if other is self or other == self:
            return self
        return Labels(
            integrity=max(self.integrity, other.integrity, key=list(Integrity).index),
            confidentiality=max(self.confidentiality, other.confidentiality, key=list(Confidentiality).index),
        )


UNEXPOSED = Labels(integrity=Integrity.TRUSTED, confidentiality=Confidentiality.PUBLIC)
"""The labels of a thread that has read nothing but its user's text."""

QUOTED = Labels(integrity=Integrity.UNTRUSTED, confidentiality=Confidentiality.PUBLIC)
"""The labels of a text that may be anybody's and that anybody may read: what is embedded, what a person quotes."""
