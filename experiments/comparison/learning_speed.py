"""Who learns faster: a verdict of its own, on the areas under the learning curves.

Two agents may end equally good, and yet one of them was so much sooner. The same tests are made as of final scores, of
the mean heights of the runs' curves; agents whose curves never move, such as planners, do not learn and are left out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from experiments.comparison.pair import AgentPair, make_pairs
from experiments.comparison.summary import AgentSummary, NormalisedScores


def learning_pairs(
    agents: Sequence[str],
    summaries: Mapping[tuple[str, str], AgentSummary],
    bundled: Collection[str] = (),
    against: str | None = None,
    tests: int = 0,
) -> list[AgentPair]:
    """Two agents each, by how high their curves run on the mean; the arguments are those of `make_pairs`."""
    learners = {key: _by_area(one) for key, one in summaries.items() if learns(one)}
    return make_pairs(agents, learners, bundled, against, tests)


def learns(summary: AgentSummary) -> bool:
    """Does an agent's learning curve move?"""
    if summary.area is None or summary.curve is None:
        return False
    values = [value for value in summary.curve.iqm if value is not None]
    return len(set(values)) > 1


def _by_area(summary: AgentSummary) -> AgentSummary:
    """The summary, whose scores are the mean heights of its runs' curves."""
    assert summary.area is not None
    heights, scale = summary.area.heights, summary.scale
    normalised = None
    if scale is not None and not scale.is_negligible:
        normalised = NormalisedScores(scale.normalise(np.array(heights)).tolist(), summary.area.mean_height)
    return replace(summary, scores=heights, normalised=normalised)
