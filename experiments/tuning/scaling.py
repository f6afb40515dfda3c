"""Scores in several environments: on the scale of each, since they could not be averaged otherwise."""

import numpy as np

from experiments.comparison.bootstrap import FloatArray
from experiments.errors import InputError
from experiments.evaluation.score_scale import ScoreScale
from experiments.results.run_result import scale_of
from experiments.training.scales import scale_records
from experiments.tuning.searched import Searched


def scales(searched: Searched) -> dict[str, tuple[ScoreScale, ScoreScale]]:
    """The scale of each environment on the validation episodes and on those of the curve, by label.

    Empty of a single environment, whose scores stay as they are.

    Raises:
        InputError: an environment has none.
    """
    if len(searched.envs) == 1:
        return {}
    found = {}
    for run_spec in searched.run_specs(0, searched.agent.settings)[: len(searched.envs)]:
        final, curve = map(scale_of, scale_records(run_spec))
        if final is None or curve is None or final.is_negligible or curve.is_negligible:
            raise InputError(
                f"envs: {run_spec.env.label}: expected a scale (scale = {{ floor = ..., ceiling = ... }}): without one "
                "its scores cannot be averaged with those of others"
            )
        found[run_spec.env.label] = final, curve
    return found


def moved(scores: FloatArray, searched: Searched, scale: ScoreScale | None) -> FloatArray:
    """Scores [runs] on validation episodes in one environment, as they would be on other episodes of it.

    Some episodes are easier than others: where the ends of both scales are known, such as mazes' exact optimum, what
    is at a share of the one is put at the same share of the other. Elsewhere the scores stay as they are.

    Args:
        scores: of the search.
        searched: what was searched, in one environment.
        scale: that of the other episodes.
    """
    own = scale_of(scale_records(searched.run_specs(0, searched.agent.settings)[0])[0])
    if own is None or scale is None or own.is_negligible or scale.is_negligible:
        return scores
    return np.asarray(scale.floor + own.normalise(scores) * (scale.ceiling - scale.floor))
