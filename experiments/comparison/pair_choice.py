"""Which pairs of agents are tested: they grow as the square of the agents."""

from collections.abc import Sequence
from typing import NamedTuple

from experiments.comparison.aggregate import Aggregate
from experiments.comparison.ranking import ranked
from experiments.comparison.summary import AgentSummary
from experiments.errors import InputError, did_you_mean

AUTO, ALL, BEST = "auto", "all", "best"
MOST_PAIRS = 300  # that are all tested, if nothing else is asked for: of 25 agents


class PairChoice(NamedTuple):
    """The pairs that are tested."""

    words: str
    against: str | None  # the agent that the others are compared with; None: every two
    tests: int  # of the family, at least


def choose_pairs(
    pairs: str, agents: Sequence[str], summaries: Sequence[AgentSummary], aggregates: Sequence[Aggregate]
) -> PairChoice:
    """Which pairs are tested.

    The best agent is known from the very scores that are tested then, so that its pairs are corrected as if all had
    been tested: any of them could have been among these.

    Raises:
        InputError: `pairs` is none of "auto", "all", "best", and no agent's label.
    """
    num_pairs = len(agents) * (len(agents) - 1) // 2
    if pairs == ALL or (pairs == AUTO and num_pairs <= MOST_PAIRS):
        return PairChoice("all", None, 0)
    if pairs in (AUTO, BEST):
        best = _best(summaries, aggregates)
        if best is None:
            return PairChoice("all", None, 0)
        return PairChoice(f"the best ({best}) against each, corrected for all {num_pairs:,} pairs", best, num_pairs)
    if pairs not in agents:
        choices = [AUTO, ALL, BEST, *agents]
        raise InputError(
            f"--pairs: expected {AUTO}, {ALL}, {BEST} or an agent, got {pairs!r}{did_you_mean(pairs, choices)}"
        )
    return PairChoice(f"{pairs} against each", pairs, 0)


def _best(summaries: Sequence[AgentSummary], aggregates: Sequence[Aggregate]) -> str | None:
    """The agent with the highest IQM: of normalised scores where there are any, else of the first environment."""
    if aggregates:
        return ranked(aggregates)[0].agent
    finished = [one for one in summaries if one.iqm is not None]
    return ranked([one for one in finished if one.env == finished[0].env])[0].agent if finished else None
