"""The tree of spans that ``demo --trace`` prints."""

import re
import subprocess
import sys

from opentelemetry.trace import Link, SpanContext, TraceFlags

from graphs._run import ROOT
from guarded_agents.cli._spans import tree
from tests.support.watched import Watched

HIDDEN = "import sys; sys.modules['opentelemetry.sdk.trace'] = None; "


def test_a_span_stands_below_its_parent_with_what_it_says_and_where_it_links() -> None:
    watched = Watched()
    tracer = watched.provider.get_tracer("test")
    elsewhere = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    with tracer.start_as_current_span("held", end_on_exit=True) as held:
        pass
    links = [Link(held.get_span_context()), Link(elsewhere)]
    about = {"guarded_agents.decision": "permit", "guarded_agents.outcome": "executed", "other": "x"}
    with tracer.start_as_current_span("run"), tracer.start_as_current_span("call", links=links, attributes=about):
        tracer.start_span("a\x1bstage").end()
    lines = [re.sub(r" +[0-9.]+ ms.*", "", line) for line in tree(watched.spans)]
    assert lines == ["held", "run", "   call", "      ↩ held", "      ↩ a span elsewhere", "      a\\u001bstage"]
    [call] = [line for line in tree(watched.spans) if line.startswith("   call")]
    assert call.endswith("permit, executed")


def test_the_times_stand_below_one_another_and_a_permit_is_said_once() -> None:
    watched = Watched()
    tracer = watched.provider.get_tracer("test")
    about = {"guarded_agents.decision": "permit", "guarded_agents.reason": "permitted"}
    with tracer.start_as_current_span("a longer name"), tracer.start_as_current_span("one", attributes=about):
        pass
    first, second = tree(watched.spans)
    assert first.index(" ms") == second.index(" ms")
    assert second.endswith(" ms  permit")


def test_nothing_is_printed_where_there_are_none() -> None:
    assert list(tree(())) == []


def test_without_the_sdk_it_is_said_what_to_install() -> None:
    code = HIDDEN + "from guarded_agents.cli import main; sys.exit(main(['demo', '--trace']))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 2
    assert "install guarded-agents[otel]" in done.stderr
