"""Which model drives an application: a real one by name, or the application's script."""

from langchain_core.language_models import BaseChatModel

from guarded_agents.errors import ConfigurationError


def chat_model(name: str | None, *, scripted: BaseChatModel) -> BaseChatModel:
    """Return the chat model called *name* (``provider:model``), or *scripted* where it is None or empty.

    Raises ConfigurationError where LangChain or the provider's package is missing, or where the
    provider is unknown. The provider's key is read by its own package, never here.
    """
    if not name:
        return scripted
    if ":" not in name:
        raise ConfigurationError(
            f"model {name!r}", expected="provider:model", got="no provider", action="write it as openai:gpt-5"
        )
    provider = name.partition(":")[0]
    try:
        # LangChain is an extra: the scripted model must work without it.
        from langchain.chat_models import init_chat_model  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            f"model {name!r}",
            expected="the package langchain",
            got="none",
            action="pip install 'guarded-agents[langchain]'",
        ) from error
    try:
        model: BaseChatModel = init_chat_model(name)
    except ImportError as error:
        raise ConfigurationError(
            f"model {name!r}",
            expected=f"LangChain's package for {provider}",
            got="none",
            action=f"pip install langchain-{provider.replace('_', '-')}",
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"model {name!r}",
            expected="a provider that init_chat_model knows and its key in the environment",
            got=type(error).__name__,
            action="check provider:model and the provider's key",
        ) from error
    return model


__all__ = ["chat_model"]
