"""What every test stands on. The environment is set before anything imports LangGraph, which reads it at import."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"  # a checkpoint rebuilds no types: state holds plain JSON
for name in [name for name in os.environ if name.startswith(("LANGSMITH_", "LANGCHAIN_", "OTEL_"))]:
    del os.environ[name]  # a developer's own settings; a test sends nothing anywhere
os.environ["LANGSMITH_TRACING"] = "false"

import pytest  # noqa: E402 - after the environment
from hypothesis import HealthCheck, settings  # noqa: E402 - the same

settings.register_profile(
    "guarded_agents",
    deadline=None,  # no test depends on the wall clock
    suppress_health_check=[HealthCheck.too_slow],  # the same
    print_blob=True,
)
settings.load_profile("guarded_agents")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the tests that may take longest, so that no worker is left with them at the end."""
    items.sort(key=_may_take_s, reverse=True)


def _may_take_s(item: pytest.Item) -> float:
    timeout = item.get_closest_marker("timeout")
    return timeout.args[0] if timeout else 0.0
