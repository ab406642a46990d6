"""What the nodes of one guard work with, put together."""

import asyncio
import secrets
from datetime import timedelta
from typing import Final

from guarded_agents import nodes
from guarded_agents.assembly._opening import Files, Settings
from guarded_agents.assembly._watch import Watch
from guarded_agents.keys import RootKey
from guarded_agents.stores import Store
from guarded_agents.transport import ToolTransport

_LEASE_MARGIN_S: Final = 30.0


def make_services(
    files: Files, root: RootKey, store: Store, transport: ToolTransport, settings: Settings
) -> nodes.Services:
    """Return the services of a guard that lives on the event loop that runs."""
    home, now, policy = nodes.HomeLoop(asyncio.get_running_loop()), nodes.checked(settings.now), files.policy
    watch = Watch(files.catalog, transport, store, home, now)
    telemetry = settings.telemetry(root, transport)
    tokens = nodes.Tokens(policy, store, derive=root.derive)
    detectors = settings.all_detectors(policy)
    screening = nodes.Screening(
        policy, store, tokens, derive=root.derive, now=now, detectors=detectors, metrics=telemetry.metrics
    )
    screening.quarantine(files.catalog)
    return nodes.Services(
        policy=files.rules,
        catalog=files.catalog,
        store=store,
        transport=transport,
        telemetry=telemetry,
        provenance=nodes.Provenance(store, policy, root.derive("values")),
        exposure=nodes.Exposure(store, now),
        screening=screening,
        tokens=tokens,
        people=nodes.People(files.directory, files.authenticator, policy.glass, store, home, settings.timeout_s),
        queue=policy.queue_limits,
        operators=policy.operators,
        observe=watch.observe,
        recover=watch.recover,
        home=home,
        now=now,
        binding_key=root.derive("binding"),
        request_key=root.derive("request"),
        owner=secrets.token_hex(16),
        timeout_s=settings.timeout_s,
        lease=timedelta(seconds=settings.timeout_s + _LEASE_MARGIN_S),
    )
