"""The proof of a statement: a signature by the approver's key, or their ID token over a statement kept before."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import typer
from pydantic import ValidationError

from guarded_agents.cli._opened import read
from guarded_agents.cli._options import Approver
from guarded_agents.errors import ConfigurationError, ProofError
from guarded_agents.keys import read_key_file
from guarded_agents.records import (
    PlanExtension,
    Resolution,
    Review,
    Scheme,
    SignedPlanExtension,
    SignedResolution,
    SignedReview,
    SignedVote,
    Vote,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Statement = TypeVar("Statement", Vote, Review, Resolution, PlanExtension)
_FRESH: Final = ("at", "nonce")  # what differs between two statements that say the same
_MAX_TOKEN_CHARS: Final = 65_536


@dataclass(slots=True, repr=False)
class _Key:
    """A private key. One with a password is locked until it has to sign: what cannot count is told before that."""

    path: Path
    text: bytes
    known: "Ed25519PrivateKey | None" = None

    @classmethod
    def of(cls, path: Path) -> "_Key":
        """Return the key in *path*. Raises ConfigurationError, also for a locked one where there is no terminal."""
        from guarded_agents.approval import LOCKED_KEY

        if path.suffix == ".pub":
            action = f"name {path.with_suffix('')} with --key"
            raise ConfigurationError(str(path), expected="a private key", got="the public one", action=action)
        key = cls(path, read_key_file(path))
        try:
            key._load(None)
        except ConfigurationError as error:
            if not (error.expected == LOCKED_KEY and sys.stdin.isatty()):
                raise
        return key

    def unlocked(self) -> "Ed25519PrivateKey":
        """Return the key; its password is asked for once. Raises ConfigurationError for another password."""
        return self.known or self._load(_typed(f"Password of {self.path}").encode())

    def _load(self, password: bytes | None) -> "Ed25519PrivateKey":
        from guarded_agents.approval import load_private_key

        try:
            self.known = load_private_key(self.text, password=password)
        except ConfigurationError as error:
            raise ConfigurationError(
                str(self.path), expected=error.expected, got=error.got, action=error.action
            ) from None
        return self.known


def _typed(what: str) -> str:
    """Return what is typed unseen. Raises Abort on Ctrl-C, at once: asyncio would wait for what is awaited next."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found: str = typer.prompt(what, hide_input=True, err=True)
    finally:
        signal.signal(signal.SIGINT, before)
    return found


@dataclass(frozen=True, slots=True)
class Prover:
    """What proves the statements of one approver. Made before anything is opened, so that nothing is left half done."""

    key: "_Key | None" = None
    second_key: "_Key | None" = None
    token: str | None = None  # an ID token
    saved: Path | None = None  # the statement that the token is over
    save: Path | None = None  # where the statement is kept instead of being sent

    def of_vote(self, vote: Vote) -> SignedVote:
        """Return *vote*, or the kept one that says the same, with its proof."""
        from guarded_agents.approval import sign

        if self.token is None:
            return sign(vote, self._own(), second=self._second())
        kept = self._kept(vote)
        other = self._second()
        second = None if other is None else sign(kept, other).signature
        return SignedVote(vote=kept, signature=self.token, scheme=Scheme.OIDC, second=second)

    def of_review(self, review: Review) -> SignedReview:
        """Return *review*, or the kept one that says the same, with its proof."""
        from guarded_agents.approval import sign

        if self.token is None:
            return sign(review, self._own())
        return SignedReview(review=self._kept(review), signature=self.token, scheme=Scheme.OIDC)

    def of_resolution(self, resolution: Resolution) -> SignedResolution:
        """Return *resolution*, or the kept one that says the same, with its proof."""
        from guarded_agents.approval import sign

        if self.token is None:
            return sign(resolution, self._own())
        return SignedResolution(resolution=self._kept(resolution), signature=self.token, scheme=Scheme.OIDC)

    def of_extension(self, extension: PlanExtension) -> SignedPlanExtension:
        """Return *extension*, or the kept one that says the same, with its proof."""
        from guarded_agents.approval import sign

        if self.token is None:
            return sign(extension, self._own())
        return SignedPlanExtension(extension=self._kept(extension), signature=self.token, scheme=Scheme.OIDC)

    def keep(self, statement: Vote | Review | Resolution | PlanExtension) -> bool:
        """Return whether nothing is to be sent: *statement* is then in its file.

        With a key it is signed there. Without one its nonce is on stdout, for an ID token.
        """
        if self.save is None:
            return False
        from guarded_agents.approval import commitment, sign

        kept = statement if self.key is None else sign(statement, self._own(), second=self._second())
        try:
            made = os.open(self.save, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it may hold arguments
            with os.fdopen(made, "wb") as file:
                file.write(kept.model_dump_json(indent=2).encode())
        except OSError as error:
            got = error.strerror or type(error).__name__
            raise ConfigurationError(
                str(self.save), expected="a file that can be made", got=got, action="name another one with --save"
            ) from None
        if self.key is not None:
            typer.echo(
                f"nothing is sent: {self.save} holds it signed; as it stands it is the resume value of the thread",
                err=True,
            )
            return True
        typer.echo(commitment(statement))
        typer.echo(
            f"nothing is sent yet: get an ID token with this nonce, and type the same with --vote {self.save}"
            " --id-token FILE in place of --save",
            err=True,
        )
        return True

    def _own(self) -> "Ed25519PrivateKey":
        if self.key is None:
            raise typer.BadParameter("name your private key, or an ID token", param_hint="--key")
        return self.key.unlocked()

    def _second(self) -> "Ed25519PrivateKey | None":
        return None if self.second_key is None else self.second_key.unlocked()

    def _kept(self, now: Statement) -> Statement:
        """Return the saved statement. Raises ProofError where it says anything else than the command."""
        if self.saved is None:
            raise typer.BadParameter("name the file that --save kept the statement in", param_hint="--vote")
        try:
            kept = type(now).model_validate_json(read(self.saved, "a statement", option="--vote"))
        except ValidationError:
            raise ConfigurationError(
                str(self.saved), expected=f"a {type(now).__name__.lower()}", got="something else", action="save it anew"
            ) from None
        if kept.model_dump(exclude=set(_FRESH)) != now.model_dump(exclude=set(_FRESH)):
            raise ProofError(
                str(self.saved),
                expected="what this command says",
                got="a statement that says something else, or is over something that changed since",
                action="look again, and save it anew",
            )
        return kept


def prover_of(by: Approver, *, second_key: Path | None = None) -> Prover:
    """Return what proves the statements of *by*. Raises ConfigurationError that names the file, and BadParameter."""
    if (by.id_token is None) is (by.key is None and by.save is None):
        raise typer.BadParameter("name --key, --save, both, or --id-token", param_hint="--key")
    if (by.saved is None) is not (by.id_token is None):
        raise typer.BadParameter("--vote and --id-token go together", param_hint="--vote")
    return Prover(
        key=None if by.key is None else _Key.of(by.key),
        second_key=None if second_key is None else _Key.of(second_key),
        token=None if by.id_token is None else _token(by.id_token),
        saved=by.saved,
        save=by.save,
    )


def _token(name: str) -> str:
    text = sys.stdin.read(_MAX_TOKEN_CHARS) if name == "-" else ""
    if name != "-":
        text = read(Path(name), "an ID token", option="--id-token")[:_MAX_TOKEN_CHARS].decode("ascii", "replace")
    return text.strip()


__all__ = ["Prover", "prover_of"]
