"""What was trained and comes with the package: the table of the injection classifier (docs/model-card.md)."""

from importlib.resources import files

__all__ = ["injection_weights"]


def injection_weights() -> bytes:
    """Return the table that `screen.InjectionClassifier` takes. Raises OSError where the installation lacks it."""
    return files(__name__).joinpath("injection.bin").read_bytes()
