"""A command exports where the environment says so, and nothing where it says nothing or cannot."""

import subprocess
import sys

import pytest

from graphs._run import ROOT

ASKED = "from guarded_agents.telemetry import export_from_environment as e; print(e('x'), e('x'))"
WITHOUT_SDK = "import sys; sys.modules['opentelemetry.sdk.trace'] = None; " + ASKED
HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
TRACES = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/v1/traces"}
CASES = {
    "nothing is said": (ASKED, {}, "False False"),
    "an endpoint, once": (ASKED, TRACES, "True False"),
    "it is switched off": (ASKED, {**HERE, "OTEL_SDK_DISABLED": "true"}, "False False"),
    "a value that is refused": (ASKED, {**TRACES, "OTEL_BSP_MAX_QUEUE_SIZE": "-1"}, "False False"),
    "the extra is not installed": (WITHOUT_SDK, HERE, "False False"),
}


@pytest.mark.parametrize(("code", "env", "said"), CASES.values(), ids=CASES)
def test_a_process_exports_where_it_is_told_to_and_can(code: str, env: dict[str, str], said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**env, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (said, 0), done.stderr
