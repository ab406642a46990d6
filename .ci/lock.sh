#!/bin/sh
# Resolve pyproject.toml in a clean environment and write what came out to requirements.lock, and with AgentDojo in
# another one to requirements-bench.lock, each in full or not at all.
# The environment is that of `make`: PYTHON names the interpreter, pip's own settings name the package index.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

resolve() { # lock, extras: write what pip makes of them
    "${PYTHON:-python3}" -m venv --clear "$work/venv"
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check ".[$2]"
    {
        echo "# Made by \`make lock\` from pyproject.toml, extras $2."
        "$work/venv/bin/python" -m pip freeze --disable-pip-version-check --exclude guarded-agents
    } >"$work/lock"

    if grep -nEv '^(#.*|[A-Za-z0-9._-]+==[A-Za-z0-9._!+]+)$' "$work/lock" >&2; then
        echo "$1 is left as it was: expected name==version in each line, got the above." >&2
        exit 1
    fi
    cat "$work/lock" >"$1"
}

resolve requirements.lock mcp,otel,langchain,dev
resolve requirements-bench.lock mcp,bench
