"""Names of the application's own: the graph that a thread goes on in, what tells of effects, its parts of a guard."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from inspect import isawaitable, signature
from pathlib import Path
from typing import TYPE_CHECKING

from guarded_agents.errors import AssemblyError, ConfigurationError, GuardError

if TYPE_CHECKING:
    from guarded_agents.assembly import AnyGraph


def _load_name(name: str, *, option: str) -> object:
    """Return what ``module:attribute`` names; modules of the working directory are found too.

    Raises ConfigurationError that names *option*.
    """
    module_name, _, attribute = name.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as with `python -m`: the installed command has no such entry
    try:
        module = import_module(module_name) if module_name and attribute else None
    except ImportError as error:
        raise ConfigurationError(
            f"{option} {name}",
            expected="a module that can be imported",
            got=f"no module {error.name}" if isinstance(error, ModuleNotFoundError) else "an error while importing it",
            action="run the command in the folder of the application, or install it",
        ) from error
    if module is None or not hasattr(module, attribute):
        raise ConfigurationError(
            f"{option} {name}", expected="module:attribute", got="no such thing", action="name a function of a module"
        )
    found: object = getattr(module, attribute)
    return found


def made_by(name: str, *, option: str, kind: str, method: str) -> object:
    """Return what the function that ``module:function`` names makes: a *kind*, which has *method*.

    Raises ConfigurationError that names *option*.
    """
    function = _load_name(name, option=option)
    if callable(function):
        made = _called(function, option=f"{option} {name}", given="no parameters")
        if callable(getattr(made, method, None)):
            return made
    raise ConfigurationError(
        f"{option} {name}",
        expected=f"a function that returns a {kind}",
        got="something else",
        action="name a function without parameters",
    )


@asynccontextmanager
async def application(
    name: str, *, thread: str | None, store: Path, option: str = "--graph"
) -> AsyncIterator["AnyGraph"]:
    """Open the graph that ``module:factory`` names.

    The factory has the shape of those in ``langgraph.json``: called with a config whose ``configurable`` holds
    ``thread_id`` (absent where it is for all threads) and ``guard_store`` (the store's path), it returns a compiled
    graph, or a context manager or awaitable of one. The graph has to have a checkpointer. Raises ConfigurationError
    that names *option*.
    """
    factory, given = _load_name(name, option=option), f"{option} {name}"
    if not callable(factory):
        raise _unusable(given, type(factory).__name__)
    of_thread = {} if thread is None else {"thread_id": thread}
    config = {"configurable": {**of_thread, "guard_store": str(store)}}
    made = _called(factory, config, option=given, given="a config")
    if isinstance(made, AbstractAsyncContextManager):
        async with made as graph:
            yield _checked(graph, given)
    else:
        yield _checked(await made if isawaitable(made) else made, given)


def _called(function: Callable[..., object], *parameters: object, option: str, given: str) -> object:
    """Return what a function of the application's own makes of *parameters*, which *given* names.

    Raises ConfigurationError that names *option* where it does not take them, or raises: what it says is its own, and
    may quote what is secret.
    """
    try:
        signature(function).bind(*parameters)
    except TypeError as error:
        raise ConfigurationError(
            option, expected=f"a function that takes {given}", got="one that does not", action="change or wrap it"
        ) from error
    except ValueError:
        pass  # one that does not tell what it takes
    try:
        return function(*parameters)
    except GuardError:
        raise
    except Exception as error:  # it is the application's own and may raise anything; nothing runs or waits in it
        raise ConfigurationError(
            option,
            expected="a function that returns what is asked for",
            got=type(error).__name__,
            action="call it in Python to see where that comes from",
        ) from error


def effects_of(name: str, folder: Path) -> object:
    """Return what ``module:function``, called with the folder of the store, tells of the effects (JSON)."""
    function = _load_name(name, option="--effects")
    if not callable(function):
        raise ConfigurationError(
            f"--effects {name}", expected="a function", got=type(function).__name__, action="name a function"
        )
    tell: Callable[[Path], object] = function
    return tell(folder)


def _checked(graph: object, given: str) -> "AnyGraph":
    from langgraph.graph.state import CompiledStateGraph

    if not isinstance(graph, CompiledStateGraph):
        raise _unusable(given, type(graph).__name__)
    if not graph.checkpointer:
        raise AssemblyError(
            given,
            expected="a graph with the checkpointer that the thread is in",
            got="one without",
            action="name a factory that compiles it with one",
        )
    return graph


def _unusable(given: str, got: str) -> ConfigurationError:
    return ConfigurationError(
        given,
        expected="a factory of a compiled graph, as in langgraph.json",
        got=got,
        action="name a function that takes a config",
    )


__all__ = ["application", "effects_of", "made_by"]
