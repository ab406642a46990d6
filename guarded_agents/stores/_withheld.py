"""What the guard asks of a store about what screening took out of texts (DESIGN I10)."""

from collections.abc import Collection
from typing import Protocol

from pydantic import JsonValue

from guarded_agents.stores._results import Kept


class Withheld(Protocol):
    """What stands behind tokens and notices. Every method raises StoreError when the store cannot answer."""

    def values_behind(self, thread: str, tokens: Collection[str]) -> dict[str, str]:
        """Return the values behind those *tokens* that are on record for *thread*, by token; also what is buffered."""

    def original(self, thread: str, message: str) -> JsonValue:
        """Return what a notice in the tool message *message* stands for; None where nothing does, or it was erased."""

    def keep(self, thread: str, kept: Kept) -> None:
        """Record what was taken out of a text of *thread*, buffered but visible at once. What is there stays."""
