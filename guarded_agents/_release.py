"""Which release this is."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the version of the installed package; ``(not installed)`` where it runs from a checkout."""
    try:
        return version("guarded-agents")
    except PackageNotFoundError:
        return "(not installed)"
