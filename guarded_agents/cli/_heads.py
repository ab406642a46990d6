"""``guarded-agents audit head|key|rotate|prove|check``: signed heads, the key that signs them, proofs of entries."""

import asyncio
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from guarded_agents.audit import (
    EntryProof,
    KeySigner,
    Kind,
    Note,
    TreeHead,
    parse_head_text,
    parse_note,
    parse_proof,
    parse_verifier,
    prove_inclusion,
    root_of,
)
from guarded_agents.cli._audit import StorePath, opened, text_or_file
from guarded_agents.cli._exits import FAILED
from guarded_agents.cli._options import AsJson
from guarded_agents.cli._text import one_line, print_json
from guarded_agents.errors import AuditError, ConfigurationError, NoteError
from guarded_agents.keys import load_audit_key, write_audit_key
from guarded_agents.stores import AuditNote

if TYPE_CHECKING:
    from guarded_agents.stores import SqliteStore

_KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", help="The log's private key; by default STORE.audit.key.", show_default=False
    ),
]
_GIT: Final = ("-c", "user.name=guarded-agents", "-c", "user.email=guarded-agents@localhost", "commit", "--quiet")


def head(
    path: StorePath,
    *,
    pin: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep the head there, if the log goes on from the one that is there.",
            show_default=False,
        ),
    ] = None,
    git: Annotated[bool, typer.Option("--git", help="With --pin: commit the file in its git repository.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the newest signed head of STORE's log (a C2SP checkpoint), to keep where its owner cannot write."""
    if git and pin is None:
        raise typer.BadParameter("names no file: use it with --pin FILE", param_hint="--git")
    with opened(path) as store:
        note, said = _newest(store, path)
        if pin is not None:
            _pin(store, pin, note, said)
    if pin is not None and git:
        _commit(pin, said)
    if as_json:
        print_json({"log": said.origin, "size": said.size, "root": said.root.hex(), "note": note.dump().decode()})
    else:
        typer.echo(note.dump().decode(), nl=False)


def key(path: StorePath, *, as_json: AsJson = False) -> None:
    """Print the public key that signs STORE's log (a vkey of C2SP signed-note), to hand to whoever verifies."""
    with opened(path) as store:
        vkey = store.audit_key()
    if vkey is None:
        raise _unsigned(path)
    if as_json:
        print_json({"key": vkey})
    else:
        typer.echo(one_line(vkey))


def rotate(path: StorePath, *, key_file: _KeyFile = None, as_json: AsJson = False) -> None:
    """Sign STORE's log with a new key from now on. The change is an entry, under a head that both keys sign.

    Processes that have the store open go on only after they were started again. The old key is kept beside the new
    one, under its id: destroy it when nobody needs it any more.
    """
    current = Path(f"{path}.audit.key") if key_file is None else key_file
    coming = Path(f"{current}.new")
    with opened(path) as store:
        log, known = store.audit_head().log, store.audit_key()
        if known is None:
            raise _unsigned(path)
        if not current.exists() and coming.exists():  # a change was broken off between its two last steps
            coming.rename(current)
        old = KeySigner(log, load_audit_key(current, create=False))
        write_audit_key(coming)  # one that is there is left of a change that was broken off before
        new = KeySigner(log, load_audit_key(coming, create=False))
        if known != str(new.verifier):
            note = AuditNote(Kind.KEY_ROTATED, {"old": str(old.verifier), "new": str(new.verifier)})
            asyncio.run(_rotate(store, old, new, note))
    current.rename(f"{current}.{old.verifier.key_id.hex()}")
    coming.rename(current)
    if as_json:
        print_json({"old": str(old.verifier), "new": str(new.verifier)})
    else:
        typer.echo(f"old {old.verifier}\nnew {new.verifier}")


async def _rotate(store: "SqliteStore", old: KeySigner, new: KeySigner, note: AuditNote) -> None:
    now = datetime.now(UTC)
    await store.sign_with(old, (), now=now)
    await store.rotate_key(new, note, now=now)


def prove(
    path: StorePath,
    sequence: Annotated[int, typer.Argument(metavar="SEQ", min=0, help="The number of the entry.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it there, in place of printing it.", show_default=False)
    ] = None,
) -> None:
    """Prove that entry SEQ is in STORE's log (a C2SP tlog-proof): the entry, its audit path and a signed head.

    Whoever has the text and the log's public key verifies it without the log, by `audit check` or the verifier in one
    file, ``guarded_agents/audit/standalone_verify.py``.
    """
    with opened(path) as store:
        note, said = _newest(store, path)
        if sequence >= said.size:
            raise ConfigurationError(
                f"entry {sequence:,}",
                expected=f"one of the {said.size:,} under the newest signed head",
                got="a later one, or none",
                action="name another, or try again when the log is signed",
            )
        stored = next((body for _, body, _ in store.audit_rows(sequence)), b"")
        proof = EntryProof(stored, sequence, prove_inclusion(sequence, said.size, store.audit_subtree), note)
        if not proof.holds(parse_verifier(store.audit_key() or "")):
            raise AuditError(
                f"entry {sequence:,}",
                expected="to lead to the signed head",
                got="another root",
                action="verify the log",
                sequence=sequence,
            )
    if out is None:
        typer.echo(proof.dump().decode(), nl=False)
    else:
        out.write_bytes(proof.dump())
        typer.echo(f"{out}: entry {sequence:,} of {one_line(said.origin)}, under the head of {said.size:,}")


def check(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A .tlog-proof file.", show_default=False)],
    *,
    vkey: Annotated[
        str, typer.Option("--key", metavar="VKEY|FILE", help="The log's public key, as `audit key` prints it.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check a proof that `audit prove` made, without the log: 0 where it holds, 1 where not or where it is none."""
    proof = parse_proof(_bytes(path))
    holds = proof.holds(parse_verifier(text_or_file(vkey)))
    entry = proof.stored.decode(errors="replace")
    if as_json:
        print_json({"holds": holds, "sequence": proof.sequence, "entry": entry})
    else:
        typer.echo(f"{path}: {'holds' if holds else 'DOES NOT HOLD'}, entry {proof.sequence:,}\n{one_line(entry)}")
    if not holds:
        raise typer.Exit(FAILED)


def _newest(store: "SqliteStore", path: Path) -> tuple[Note, TreeHead]:
    stored = store.signed_head()
    if stored is None:
        raise _unsigned(path)
    note = parse_note(stored)
    return note, parse_head_text(note.text)


def _pin(store: "SqliteStore", file: Path, note: Note, said: TreeHead) -> None:
    """Write *note* to *file*. Raises AuditError where the log does not go on from the head that is there."""
    if file.exists():
        before = parse_head_text(parse_note(_bytes(file)).text)
        goes_on = before.origin == said.origin and before.size <= said.size
        if not goes_on or root_of(before.size, store.audit_subtree) != before.root:
            raise AuditError(
                str(file),
                expected=f"a head that {one_line(said.origin)} of {said.size:,} entries goes on from",
                got=f"{one_line(before.origin)} of {before.size:,} entries",
                action="keep the file and the store as they are, and find out which was changed",
            )
    part = file.with_name(f"{file.name}.part")
    part.write_bytes(note.dump())
    part.replace(file)


def _commit(file: Path, said: TreeHead) -> None:
    folder, message = str(file.parent), f"{one_line(said.origin)}: head of {said.size} entries"
    environment = os.environ | {"LC_ALL": "C"}
    for words in (("add", "--", file.name), (*_GIT, "--allow-empty", "-m", message, "--", file.name)):
        done = subprocess.run(  # noqa: S603 - no shell, and the words are ours but for the file's name
            ["git", "-C", folder, *words],  # noqa: S607 - the git of whoever asks for it
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        if done.returncode:
            raise ConfigurationError(
                str(file),
                expected="a file in a git repository",
                got=(done.stderr.strip() or "an error of git").splitlines()[-1],
                action="make one there with `git init`",
            )


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise NoteError(
            str(file), expected="a readable file", got=error.strerror or "none", action="check the path"
        ) from None


def _unsigned(path: Path) -> ConfigurationError:
    return ConfigurationError(
        str(path),
        expected="a log that was signed",
        got="one without a signed head",
        action="open it with a guard first",
    )
