"""What every test stands on. The environment is set before anything imports LangGraph, which reads it at import."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"  # a checkpoint rebuilds no types: state holds plain JSON
for name in [name for name in os.environ if name.startswith(("LANGSMITH_", "LANGCHAIN_", "OTEL_"))]:
    del os.environ[name]  # a developer's own settings; a test sends nothing anywhere
os.environ["LANGSMITH_TRACING"] = "false"

from hypothesis import HealthCheck, settings  # noqa: E402 - after the environment

settings.register_profile(
    "guarded_agents",
    deadline=None,  # no test depends on the wall clock
    suppress_health_check=[HealthCheck.too_slow],  # the same
    print_blob=True,
)
settings.load_profile("guarded_agents")
