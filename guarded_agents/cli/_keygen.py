"""``guarded-agents approvals keygen``: a key that counts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guarded_agents.approval import allowed_signers_line, load_public_key, parse_allowed_signers
from guarded_agents.catalog import visible
from guarded_agents.cli._opened import read
from guarded_agents.cli._options import AsJson
from guarded_agents.cli._text import print_json
from guarded_agents.errors import ConfigurationError
from guarded_agents.keys import new_approver_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from guarded_agents.approval import AllowedKey


def keygen(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The approver's name, as the policy's groups spell it.")],
    *,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The private key to write (OpenSSH, mode 0600).", show_default=False),
    ] = None,
    public: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="In place of --key: the public key that somebody handed over.", show_default=False
        ),
    ] = None,
    signers: Annotated[
        Path, typer.Option(metavar="FILE", help="The allowed_signers file that the public key is added to.")
    ] = Path("allowed_signers"),
    as_json: AsJson = False,
) -> None:
    """Allow a key: one that was handed over (--public), or a new one without a password (--key)."""
    if public is not None and key is None:
        text = read(public, "a public key", option="--public").decode("utf-8", "replace")
        told = f"{signers}: the public key of {visible(name)} was added"
        _allow(name, load_public_key(text, source=str(public)), signers)
    elif key is not None and public is None:
        text = new_approver_key(key)
        told = f"{key}: private key of {visible(name)}; {signers}: its public key was added"
        try:
            _allow(name, load_public_key(text, source=str(key)), signers)
        except ConfigurationError:
            key.unlink()  # it counts nowhere, and would stand in the way of the next attempt
            raise
    else:
        raise typer.BadParameter("name one of --key and --public", param_hint="--key")
    if as_json:
        named = {} if key is None else {"key": str(key)}
        print_json({"name": name, **named, "signers": str(signers), "public_key": " ".join(text.split()[:2])})
    else:
        typer.echo(told)


def _allow(name: str, public_key: "Ed25519PublicKey", signers: Path) -> None:
    """Add the line to *signers*. Raises ConfigurationError where that cannot be, or would make the file unusable."""
    line = allowed_signers_line(name, public_key) + "\n"
    known = b""
    if signers.exists():
        known = read(signers, "an allowed_signers file", option="--signers")
    _require_new(
        name, public_key, parse_allowed_signers(known.decode("utf-8", "replace"), source=str(signers)), signers
    )
    line = line if not known or known.endswith(b"\n") else f"\n{line}"
    try:
        with signers.open("ab") as file:
            file.write(line.encode())
    except OSError as error:
        got = error.strerror or type(error).__name__
        raise ConfigurationError(
            str(signers), expected="a file that can be written", got=got, action="name another one with --signers"
        ) from None


def _require_new(
    name: str, public_key: "Ed25519PublicKey", listed: "Mapping[str, tuple[AllowedKey, ...]]", signers: Path
) -> None:
    """Raise ConfigurationError where *signers* lists the key already: under two names it would be two voters."""
    for owner, keys in listed.items():
        if any(key.public_key == public_key for key in keys):
            raise ConfigurationError(
                str(signers),
                expected="a key that is not listed yet",
                got=f"one that is listed for {visible(owner)}",
                action="it needs no second line" if owner == name else f"have {visible(name)} make a key of their own",
            )


__all__ = ["keygen"]
