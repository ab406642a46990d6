"""How it is said that a thread did not go on."""

from guarded_agents.errors import GuardError


def said(error: BaseException) -> str:
    """Return the text of an error of ours, and of any other the name of its class: its text may quote arguments."""
    return str(error) if isinstance(error, GuardError) else type(error).__name__
