"""The dashboard and the alerts load into real schemas, and read what the guard's own instruments make."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml
from grafana_foundation_sdk.models import dashboard as grafana

from guarded_agents.records import Effect, Reason, RequestStatus
from guarded_agents.telemetry import Metrics, Sources
from guarded_agents.telemetry._names import BROKE_GLASS, REFUSE
from tests.support.bank import calls
from tests.support.ledger import at_desk
from tests.support.watched import Metered

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "observability"
ROOT = FOLDER.parents[1]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
RULES = [
    rule
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
PANELS = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
ALERTS = {rule["alert"]: rule for rule in RULES}
QUERIES = {
    f"{title} {target['refId']}": target["expr"] for title, panel in PANELS.items() for target in panel["targets"]
}
EXPRESSIONS = QUERIES | {name: rule["expr"] for name, rule in ALERTS.items()}
ASKED_FOR = {  # what the issue names, each with an alert over it
    "approvals waiting too long": "GuardedAgentsApprovalsWaitTooLong",
    "break-glass used": "GuardedAgentsBreakGlassUsed",
    "refusals spiking": "GuardedAgentsRefusalsSpike",
    "log unverifiable": "GuardedAgentsLogUnverifiable",
    "log not growing": "GuardedAgentsLogDoesNotGrow",
    "catalogue drift": "GuardedAgentsCatalogDrift",
}
OF_THE_SCRAPE = {"job", "instance"}
VALUES = {  # what a label can say
    "guarded_agents_decision": {effect.value for effect in Effect},
    "guarded_agents_reason": {reason.value for reason in Reason},
    "guarded_agents_stage": {REFUSE, "execute", "approval"},
    "guarded_agents_status": {BROKE_GLASS} | {each.value for each in (*RequestStatus, *Reason)},
}


BELOW: dict[type, tuple[str, ...]] = {  # by the kind of a node, where its children are
    promql.AggregateExpr: ("expr",),
    promql.BinaryExpr: ("lhs", "rhs"),
    promql.Call: ("args",),
    promql.MatrixSelector: ("vector_selector",),
    promql.NumberLiteral: (),
    promql.ParenExpr: ("expr",),
    promql.VectorSelector: (),
}


def filled(expression: str) -> str:
    """Return *expression* with what Grafana puts in for its variables."""
    return expression.replace("$__rate_interval", "5m").replace("$job", "desk")


def selectors(node: Any) -> Iterator[tuple[Any, frozenset[str]]]:
    """Yield each vector selector below *node*, with the labels by which what is above it groups."""
    if isinstance(node, promql.VectorSelector):
        yield node, frozenset()
    by = frozenset(node.modifier.labels) if isinstance(node, promql.AggregateExpr) and node.modifier else frozenset()
    for name in BELOW[type(node)]:
        below = getattr(node, name)
        for child in below if isinstance(below, list) else [below]:
            for found, labels in selectors(child):
                yield found, labels | by


def prometheus(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]", "_", name)


def exported(metered: Metered) -> dict[str, set[str]]:
    """Return the labels of each series by its name, both translated as OpenTelemetry's page on Prometheus says."""
    found: dict[str, set[str]] = {}
    data = metered.reader.get_metrics_data()
    assert data is not None
    for metric in (
        metric for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ):
        kind = type(metric.data).__name__
        name = prometheus(metric.name) + ("_seconds" if metric.unit == "s" else "")
        labels = {prometheus(key) for point in metric.data.data_points for key in point.attributes or {}}
        if kind == "Histogram":
            found |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        else:
            monotonic = getattr(metric.data, "is_monotonic", False)
            found[f"{name}_total" if monotonic else name] = labels
    return found


@pytest.fixture
async def made(tmp_path: Path) -> Mapping[str, set[str]]:
    """Return what a guard exported in whose run everything happened that is counted."""
    metered = Metered()
    script = calls(
        ("balance", {"account": "ACME"}),
        ("topup", {"account": "ACME", "amount_cents": 5}),
        ("wire", {"account": "ACME", "amount_cents": 900}),
        ("nothing", {}),
    )
    async with at_desk(tmp_path, script, meter_provider=metered.provider) as desk:
        request = await desk.held()
        metrics = Metrics(metered.provider)  # what takes a network to happen
        metrics.found("tool_result", "ask", ["injection"])
        metrics.observe(_lost())
        waiting = exported(metered)
        await desk.approve(request)
        return waiting | exported(metered)


def _lost() -> Sources:
    return Sources(
        log="lost",
        waiting=lambda: (0, None),
        doubts=lambda: 0,
        unreviewed=lambda: 0,
        entries=lambda: 0,
        verified=lambda: 0,
        verified_age=lambda: None,
        quarantined=dict,
        reopened=lambda: {"bank": 1},
    )


def test_the_dashboard_loads_into_grafanas_own_schema() -> None:
    loaded = grafana.Dashboard.from_json(DASHBOARD)
    assert loaded.title == "guarded_agents"
    assert loaded.schema_version >= 39
    assert len(loaded.panels or ()) == len(DASHBOARD["panels"])
    back = json.loads(json.dumps(loaded.to_json(), default=lambda one: one.to_json()))
    assert back["templating"]["list"][1]["name"] == "job"
    assert back.keys() >= DASHBOARD.keys() - {"version"}


def test_every_panel_has_its_own_place_and_says_what_to_do() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for title, panel in PANELS.items():
        assert len(panel["description"]) > 5, title


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
async def test_every_expression_reads_what_a_guard_exports(expression: str, made: Mapping[str, set[str]]) -> None:
    found = list(selectors(promql.parse(filled(expression))))
    assert found
    for selector, grouped in found:
        assert selector.name in made, selector.name
        labels = made[selector.name] | OF_THE_SCRAPE
        assert grouped <= labels, selector.name
        for matcher in selector.matchers.matchers:
            assert matcher.name in labels, f"{selector.name}: {matcher.name}"
            if matcher.name in VALUES:
                assert set(matcher.value.split("|")) <= VALUES[matcher.name], matcher.value


async def test_nothing_that_a_guard_exports_is_left_out(made: Mapping[str, set[str]]) -> None:
    read = {selector.name for query in QUERIES.values() for selector, _ in selectors(promql.parse(filled(query)))}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in read}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in made} == families


@pytest.mark.parametrize("alert", ASKED_FOR.values(), ids=ASKED_FOR)
def test_there_is_an_alert_for_what_operators_ask(alert: str) -> None:
    assert alert in ALERTS


@pytest.mark.parametrize("rule", ALERTS.values(), ids=ALERTS)
def test_an_alert_is_complete_and_leads_to_its_first_steps(rule: dict[str, Any]) -> None:
    assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    promql.parse_duration(rule.get("for", "1m"))
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    page = (ROOT / path).read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    assert anchor in anchors
    assert f"`{rule['alert']}" in page
    grouped = {name for _, labels in selectors(promql.parse(rule["expr"])) for name in labels}
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert named <= grouped | OF_THE_SCRAPE | {"guarded_agents_audit_log"}
