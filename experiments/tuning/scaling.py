"""Scores in several environments: on the scale of each, since they could not be averaged otherwise."""

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
