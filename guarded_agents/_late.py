"""Names that a package loads when they are first used, for what they need comes with an extra (PEP 562)."""

from collections.abc import Callable, Mapping
from importlib import import_module

from guarded_agents.errors import ConfigurationError


def loads_late(
    package: str, modules: Mapping[str, str], *, what: str, expected: str, action: str
) -> Callable[[str], object]:
    """Return the ``__getattr__`` of *package*, which finds each name of *modules* in the module named there.

    It raises ConfigurationError about ``what name`` where what the module imports is missing, saying what was
    *expected* and which *action* installs it.
    """

    def get(name: str) -> object:
        if name not in modules:
            msg = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(msg)
        try:
            module = import_module(f"{package}.{modules[name]}")
        except ImportError as error:
            raise ConfigurationError(
                f"{what} {name}",
                expected=expected,
                got=f"no module {error.name}"
                if isinstance(error, ModuleNotFoundError)
                else "modules that do not fit together",
                action=action,
            ) from error
        return getattr(module, name)

    return get
