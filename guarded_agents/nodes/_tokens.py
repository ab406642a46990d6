"""Tokens in a call's arguments, and the values behind them: which goes where (DESIGN I10)."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, cast

from pydantic import JsonValue

from guarded_agents.errors import StoreError
from guarded_agents.nodes._leaves import Leaves, mapped, replaced, strings
from guarded_agents.policy import SECRETS, Policy
from guarded_agents.screen import Redactor, Stage, ValueKind, clean, tokens_in
from guarded_agents.stores import Store

THREADS: Final = 1_024  # whose keys are kept; another's are derived again, in some 20 microseconds


class Tokens:
    """Takes values out of the texts of all threads of one guard, and puts them back where the policy lets them go."""

    def __init__(self, policy: Policy, store: Store, *, derive: Callable[[str, str], bytes]) -> None:
        """Work with keys that *derive* makes of a purpose and a thread."""
        self._policy, self._store = policy, store
        kinds = tuple(map(ValueKind, (*SECRETS, *policy.screening.redact)))

        def redactor(thread: str) -> Redactor:
            return Redactor(derive("redaction", thread), kinds=kinds)

        self.redactor = lru_cache(maxsize=THREADS)(redactor)

    def restored(self, thread: str, tool: str, arguments: object) -> object:
        """Return *arguments* with the values behind tokens of the kinds that travel to *tool*. Raises StoreError.

        A token that stays is unknown, forged or of a kind that does not travel: its call is denied (`has_tokens`).
        """
        entry = self._policy.tools.get(tool)
        if entry is None or not thread:
            return arguments
        travels = tuple(map(ValueKind, entry.receives))
        return mapped(
            cast("JsonValue", arguments), Leaves(lambda text: self.known(thread, text, travels=travels), keys=False)
        )

    @staticmethod
    def has_tokens(canonical: bytes) -> bool:
        """Return whether arguments, in canonical JSON, hold what looks like a token of ours."""
        return b"[[" in canonical and bool(tokens_in(canonical.decode()))

    def at_rest(self, thread: str, arguments: JsonValue) -> JsonValue:
        """Return a call's *arguments* as they may stand in a checkpoint; they lead back to no value by themselves."""
        try:
            leaves = strings(arguments)
        except (RecursionError, OverflowError):  # no checkpoint takes what is that deep or large
            return mapped(arguments, Leaves(lambda text: self.redacted(thread, text)))
        redacted = self.redactor(thread).redact_parts(
            [*map(clean, leaves.parts)], leaves.behind, stage=Stage.TOOL_RESULT
        )
        return replaced(arguments, [part.text for part in redacted])[0]

    def tokenised(self, thread: str, tool: str, arguments: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return *arguments* of a call to *tool* with tokens again, where these lead back to just these values."""
        tokens = cast("dict[str, JsonValue]", self.at_rest(thread, arguments))
        try:
            return tokens if self.restored(thread, tool, tokens) == arguments else arguments
        except StoreError:
            return arguments

    def redacted(self, thread: str, text: str) -> str:
        """Return *text*, which quotes a call's values, as it may stand in a checkpoint or before the model."""
        return self.redactor(thread).redact(clean(text), stage=Stage.TOOL_RESULT).text

    def known(self, thread: str, text: str, *, travels: tuple[ValueKind, ...]) -> str:
        """Return *text* with the values behind those of its tokens whose kinds are in *travels*. Raises StoreError."""
        tokens = tokens_in(text) if "[[" in text else frozenset()
        if not tokens:
            return text
        values = self._store.values_behind(thread, tokens)
        return self.redactor(thread).restore(text, values, travels=travels).text
