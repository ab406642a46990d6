"""What the episodes of one suite and variant, or of several suites, come to."""

from collections.abc import Callable, Sequence

from benchmarks.dojo._episode import Episode
from benchmarks.dojo._replay import Replay

Row = dict[str, object]


def row_of(episodes: Sequence[Episode]) -> Row:
    """Return the figures over *episodes*, benign ones and attacks, as JSON.

    Asked calls and interruptions are per benign task: one interruption may show several calls of a turn. Injected asks
    are per attack.
    """
    benign = [episode for episode in episodes if episode.attack is None]
    attacks = _attacks(episodes)
    return {
        "tasks": len(benign),
        "pairs": len(attacks),
        "pairs_reached": sum(episode.reached for episode in attacks),
        "benign_utility": _mean(benign, lambda episode: episode.utility),
        "refused_calls_per_task": _mean(benign, lambda episode: episode.refused),
        "utility_under_attack": _mean(attacks, lambda episode: episode.utility),
        "tool_mediated_successes": sum(episode.attacked for episode in attacks),
        "pairs_with_injected_effect": sum(episode.injected_effects > 0 for episode in attacks),
        "injected_effects": sum(episode.injected_effects for episode in attacks),
        "asked_calls_per_task": _mean(benign, lambda episode: episode.asked.own),
        "interruptions_per_task": _mean(benign, lambda episode: episode.asked.own_stops),
        "tasks_without_approval": sum(episode.asked.own == 0 for episode in benign),
        "injected_asks_per_attack": _mean(attacks, lambda episode: episode.asked.injected),
        "injected_interruptions_per_attack": _mean(attacks, lambda episode: episode.asked.injected_stops),
        "replays": {form.value: _replays(episodes, form) for form in Replay},
    }


def details_of(episodes: Sequence[Episode]) -> Row:
    """Return which tasks failed or asked, and which pairs got through: what a policy is tuned on."""
    attacks = _attacks(episodes)
    return {
        "asked_by_task": {
            episode.task: episode.asked.own for episode in episodes if episode.attack is None and episode.asked.own
        },
        "failed_tasks": [episode.task for episode in episodes if episode.attack is None and not episode.utility],
        "succeeded": [_pair(episode) for episode in attacks if episode.attacked],
        "not_succeeded": [_pair(episode) for episode in attacks if not episode.attacked],
        "with_injected_effect": [_pair(episode) for episode in attacks if episode.injected_effects],
    }


def _attacks(episodes: Sequence[Episode]) -> list[Episode]:
    return [episode for episode in episodes if episode.attack is not None and episode.replay is None]


def _replays(episodes: Sequence[Episode], form: Replay) -> Row:
    """Return the figures of the replays that had a call to repeat."""
    played = [episode for episode in episodes if episode.replay is form and episode.proposed]
    return {
        "tasks": len(played),
        "tasks_with_injected_effect": sum(episode.injected_effects > 0 for episode in played),
        "injected_asks_per_attack": _mean(played, lambda episode: episode.asked.injected),
        "with_injected_effect": [episode.task for episode in played if episode.injected_effects],
    }


def _mean(episodes: Sequence[Episode], value: Callable[[Episode], int]) -> float | None:
    return round(sum(map(value, episodes)) / len(episodes), 3) if episodes else None


def _pair(episode: Episode) -> str:
    return f"{episode.task} {episode.attack}"
