"""What a guard is opened from: its files, its store and its servers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from guarded_agents import nodes
from guarded_agents.approval import Authenticator, Directory, Signers, parse_allowed_signers
from guarded_agents.audit import KeySigner, Signer
from guarded_agents.catalog import Catalog, Lockfile, load_lockfile
from guarded_agents.errors import ConfigurationError, LockfileError, NoteError
from guarded_agents.identity import ByScheme, PolicyDirectory
from guarded_agents.keys import RootKey, load_audit_key
from guarded_agents.policy import Policy, RulePolicy, load_policy
from guarded_agents.records import Scheme
from guarded_agents.screen import Detector, InjectionClassifier, Required
from guarded_agents.stores import SqliteStore, Store
from guarded_agents.telemetry import Semconv, Telemetry
from guarded_agents.transport import AdapterTransport, Reporting, ToolTransport, load_servers
from guarded_agents.weights import injection_weights


def utc_now() -> datetime:
    """Return the time (UTC): the clock of a guard that is given none."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Files:
    """What the files say, each parsed and checked, and who is asked about people."""

    policy: Policy
    rules: RulePolicy
    lockfile: Lockfile
    catalog: Catalog
    directory: Directory
    authenticator: Authenticator


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters of `Guard.open`."""

    policy: Path
    lockfile: Path
    store: str | Path | Store
    servers: Mapping[str, object] | None
    transport: ToolTransport | None
    root_key: str | Path | None
    audit_key: str | Path | Signer | None
    tracer_provider: TracerProvider | None
    meter_provider: MeterProvider | None
    unsafe_trace_contents: bool
    semconv: frozenset[Semconv]
    now: Callable[[], datetime]
    timeout_s: float
    authenticators: Mapping[Scheme, Authenticator]
    directory: Directory | None
    detectors: Sequence[Detector] = ()

    def read(self) -> Files:
        """Return what the files say. Raises ConfigurationError for the first that cannot be used."""
        policy = load_policy(_bytes(self.policy), source=str(self.policy))
        lockfile = load_lockfile(_bytes(self.lockfile), source=str(self.lockfile))
        taken = next((tool for tool in lockfile.tools if tool.alias == nodes.PROPOSE_PLAN), None)
        if taken is not None and nodes.proposes(policy):
            raise LockfileError(
                str(self.lockfile),
                expected=f"no tool with the alias {nodes.PROPOSE_PLAN}, by which a model proposes its plan",
                got=taken.key,
                action="give that tool another alias in the lockfile",
            )
        directory, authenticator = PolicyDirectory(policy, self.directory), self._authenticator(policy)
        return Files(policy, RulePolicy(policy), lockfile, Catalog(lockfile), directory, authenticator)

    def all_detectors(self, policy: Policy) -> tuple[Detector, ...]:
        """Return what looks at texts beside the built-in detectors: the shipped classifier where *policy* wants it."""
        if not policy.screening.classifier:
            return tuple(self.detectors)
        required = Required(policy.screening.injection.value)
        return (InjectionClassifier(injection_weights(), required=required), *self.detectors)

    def _authenticator(self, policy: Policy) -> Authenticator:
        if Scheme.ED25519 in self.authenticators:
            raise ConfigurationError(
                "authenticators",
                expected=f"schemes beside {Scheme.ED25519.value}",
                got="that one",
                action="name the approvers' keys in the policy's signers file",
            )
        signers = Signers({})
        if policy.signers is not None:
            path = self.policy.parent / policy.signers
            signers = Signers(parse_allowed_signers(_text(path), source=str(path)))
        return ByScheme({**self.authenticators, Scheme.ED25519: signers})

    def open_store(self) -> Store:
        """Return the store. Raises StoreError."""
        return SqliteStore.open(self.store) if isinstance(self.store, str | Path) else self.store

    def telemetry(self, root: RootKey, transport: ToolTransport) -> Telemetry:
        """Return what tells operators; *transport* may say how it reaches each server."""
        return Telemetry(
            self.tracer_provider,
            meter_provider=self.meter_provider,
            key=root.derive("telemetry"),
            unsafe_contents=self.unsafe_trace_contents,
            semconv=self.semconv,
            networks=transport.networks if isinstance(transport, Reporting) else {},
        )

    def open_transport(self) -> ToolTransport:
        """Return the transport; no server is started yet. Raises ConfigurationError."""
        return self.transport or AdapterTransport(load_servers(self.servers or {}))

    def signer(self, store: Store) -> Signer | None:
        """Return what signs the audit log of *store*; its key file is made where the log was never signed.

        Raises ConfigurationError for a file that cannot be used.
        """
        key = self.audit_key
        if key is None and isinstance(self.store, str | Path):
            key = f"{self.store}.audit.key"
        if not isinstance(key, str | Path):
            return key
        log, secret = store.audit_head().log, load_audit_key(key, create=store.audit_key() is None)
        try:
            return KeySigner(log, secret)
        except NoteError as error:
            raise ConfigurationError(
                f"audit log {log}", expected=error.expected, got=error.got, action="give the store another log id"
            ) from None

    @property
    def is_new(self) -> bool:
        """Whether there is no store yet, so that a root key may be made with it."""
        path = Path(self.store) if isinstance(self.store, str | Path) else None
        return path is None or not path.exists() or not path.stat().st_size

    def load_root_key(self, *, create: bool) -> RootKey:
        """Return the root key. Beside a store that exists none is made: another key would hide its claims."""
        if self.root_key is not None:
            return RootKey.load(self.root_key, create=create)
        if isinstance(self.store, str | Path):
            return RootKey.load(f"{self.store}.key", create=create)
        raise ConfigurationError(
            "root key", expected="a file", got="none", action="pass root_key= where the store is no path"
        )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            str(path), expected="a readable file", got=error.strerror or "none", action="check the path"
        ) from None


def _text(path: Path) -> str:
    try:
        return _bytes(path).decode()
    except UnicodeDecodeError:
        raise ConfigurationError(
            str(path), expected="UTF-8 text", got="other bytes", action="write the file again"
        ) from None
