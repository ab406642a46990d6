"""``guarded-agents audit witness|cosign``: somebody else's signature on the heads of a log that only grows."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from guarded_agents.audit import Algorithm, KeySigner, Witness, parse_verifier
from guarded_agents.cli._audit import StorePath, opened, text_or_file
from guarded_agents.cli._text import one_line
from guarded_agents.errors import ConfigurationError
from guarded_agents.keys import load_audit_key


def cosign(
    path: StorePath,
    *,
    url: Annotated[str, typer.Option("--witness", metavar="URL", help="Where `audit witness` serves.")],
    vkey: Annotated[str, typer.Option("--key", metavar="FILE|VKEY", help="The witness's public key.")],
) -> None:
    """Have the newest head of STORE's log cosigned by a witness, and keep its signature with the head.

    Exit status 1 where the witness has seen another log under this name, or a longer one.
    """
    from guarded_agents import operations

    key = parse_verifier(text_or_file(vkey))
    with opened(path) as store:
        said = asyncio.run(operations.cosign(store, url, key))
    typer.echo(f"{path}: the head of {said.size:,} entries is cosigned by {one_line(key.name)}")


def witness(
    *,
    logs: Annotated[
        list[str],
        typer.Option("--log", metavar="FILE|VKEY", help="The public key of a log to watch, as `audit key` prints it."),
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What the witness is called in its signatures.")],
    key_file: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="Its private key, made where it is missing (mode 0600).")
    ] = Path("witness.key"),
    state: Annotated[Path, typer.Option(metavar="FILE", help="What it cosigned last, of each log.")] = Path(
        "witness.db"
    ),
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where it serves.")] = "127.0.0.1:8710",
) -> None:
    """Serve a witness (C2SP tlog-witness): it cosigns a log's head where the log only grew. To be run by others.

    It prints its public key, and serves until it is stopped. Put it behind a proxy that speaks TLS.
    """
    from guarded_agents import operations

    keys = [parse_verifier(text_or_file(one)) for one in logs]
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal():
        raise typer.BadParameter("is not HOST:PORT", param_hint="--listen")
    signer = KeySigner(name, load_audit_key(key_file, create=True), Algorithm.COSIGNATURE)
    watched = {key.name: tuple(one for one in keys if one.name == key.name) for key in keys}
    seen = operations.WitnessFile(state)
    try:
        server = operations.witness_server(
            Witness(signer, watched), seen, address=(host, int(port)), now_s=lambda: int(time.time())
        )
        with server:
            typer.echo(f"{signer.verifier}\nserving on {host}:{server.server_port}")
            sys.stdout.flush()
            server.serve_forever()
    except KeyboardInterrupt:
        pass  # how it is stopped
    except OSError as error:
        raise ConfigurationError(
            listen, expected="an address to serve on", got=error.strerror or "none", action="name another"
        ) from None
    finally:
        seen.close()
