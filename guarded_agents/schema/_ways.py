"""How many ways lead round a cycle of references, by place of the instance."""

from collections.abc import Iterable
from typing import Final

ANY_MEMBER: Final = "*"
ANY_ELEMENT: Final = -1
OUTSIDE: Final = 1_000_000  # the index of no schema


class Ways:
    """How many references lead from a subschema back into a schema that encloses it.

    ``here`` counts those that look at the same place of the instance, ``below`` those that look under one of its
    members (by name) or elements (by index); the counts of ANY_MEMBER and ANY_ELEMENT apply to each of them as well.
    ``outermost`` is the index of the outermost schema that any of them leads back into.
    """

    __slots__ = ("below", "here", "outermost")

    def __init__(self, *, here: int = 0, outermost: int = OUTSIDE) -> None:
        self.here, self.outermost = here, outermost
        self.below: dict[str | int, int] = {}

    def add_here(self, other: "Ways") -> None:
        """Add those of a subschema that looks at the same place."""
        self.here += other.here
        for child, count in other.below.items():
            self.below[child] = self.below.get(child, 0) + count
        self.outermost = min(self.outermost, other.outermost)

    def add_child(self, child: str | int, other: "Ways", *, but: Iterable[str | int] = ()) -> None:
        """Add those of a subschema that looks at *child*; where that is any child, at any *but* these."""
        count = other.here + other.most_below()
        if count:
            self.below[child] = self.below.get(child, 0) + count
            for name in but:
                self.below[name] = self.below.get(name, 0) - count
        self.outermost = min(self.outermost, other.outermost)

    def most_below(self) -> int:
        """Return the count under the child that most of them look at."""
        member, element = self.below.get(ANY_MEMBER, 0), self.below.get(ANY_ELEMENT, 0)
        named = (
            count + (member if isinstance(child, str) else element)
            for child, count in self.below.items()
            if child not in (ANY_MEMBER, ANY_ELEMENT)
        )
        return max(member, element, *named)
