#!/bin/sh
# Make .venv from requirements.lock, unless it is there, whole and up to date. Called by the Makefile.
# `venv.sh FOLDER LOCK` makes another one from another lock.
#
# The stamp is written last and names what .venv was made from and where, so that a half-made, an outdated, a moved
# and a copied .venv are all made again. Needs no root, no HOME and no git.
#   PYTHON   the interpreter to use; by default that of .venv, and where there is none the first of python3,
#            python3.14 … python3.11 that is new enough
set -eu
cd "$(dirname "$0")/.."

venv=${1:-.venv}
lock=${2:-requirements.lock}
stamp=$venv/.made-from
log=$venv/setup.log
oldest=3.11

say() { printf '%s\n' "$*" >&2; }

wanted() {
    printf '%s\n' "$(pwd -P)"
    cksum pyproject.toml "$lock"
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

how_to_install() {
    say "Install Python $oldest or newer, for example:"
    say "  Debian, Ubuntu:  apt install python3 python3-venv"
    say "  Fedora:          dnf install python3"
    say "  macOS:           brew install python"
    say "or name one that is installed:  make PYTHON=/path/to/python$oldest"
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null 2>&1 || { say "PYTHON=$PYTHON: not found."; how_to_install; return 1; }
        new_enough "$PYTHON" && { printf '%s\n' "$PYTHON"; return; }
        say "PYTHON=$PYTHON: expected Python $oldest or newer, got $("$PYTHON" --version 2>&1 || true)."
        how_to_install
        return 1
    fi
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 && new_enough "$name"; then printf '%s\n' "$name"; return; fi
    done
    if command -v python3 >/dev/null 2>&1; then
        say "python3: expected Python $oldest or newer, got $(python3 --version 2>&1 || true)."
    else
        say "python3: not found."
    fi
    how_to_install
    return 1
}

check_venv_module() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "$1: expected the modules venv and ensurepip, which this Python $version lacks."
    say "Install them, for example:  apt install python$version-venv"
    say "or name another Python:     make PYTHON=/path/to/python$oldest"
    return 1
}

run() { # what, command…: quiet while it works, the end of its output where it fails
    what=$1
    shift
    say "$what"
    "$@" >>"$log" 2>&1 && return
    tail -n 25 "$log" >&2
    say "That failed. Nothing is left half-made: the next make starts again. The whole output: $log"
    return 1
}

is_made() {
    [ -x "$venv/bin/python" ] && [ -f "$stamp" ] || return 1
    [ "$(sed '$d' "$stamp")" = "$(wanted)" ] || return 1
    [ -z "${PYTHON:-}" ] || [ "$(sed -n '$p' "$stamp")" = "$PYTHON" ]
}

is_made && exit 0

python=$(find_python)
check_venv_module "$python"

rm -rf "$venv"
mkdir "$venv"
made_from=$(wanted) # taken before, so that a change meanwhile is seen the next time

# pip keeps its cache below HOME, where there is one that can be written
if [ -z "${PIP_CACHE_DIR:-}" ] && { [ -z "${HOME:-}" ] || [ ! -w "${HOME:-/}" ]; }; then
    PIP_NO_CACHE_DIR=1
    export PIP_NO_CACHE_DIR
fi
PIP_DISABLE_PIP_VERSION_CHECK=1
PIP_NO_INPUT=1
export PIP_DISABLE_PIP_VERSION_CHECK PIP_NO_INPUT
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV || true

run "1/3 making $venv with $python" "$python" -m venv "$venv"
run "2/3 installing the packages of $lock (about a minute)" \
    "$venv/bin/python" -m pip install --requirement "$lock"
run "3/3 installing guarded-agents from this folder" \
    "$venv/bin/python" -m pip install --no-deps --no-build-isolation --editable .

rm -f "$log" # pip names the package index in it
printf '%s\n' "$made_from" "$python" >"$stamp"
