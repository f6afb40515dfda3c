"""The scale of a run's scores, as its manifest records it. It is no part of what the run is, and may change later."""

from experiments.evaluation.episode_seeds import seeds_of
from experiments.evaluation.score_scale import EXACT, ScoreScale, score_scale_for
from experiments.results.stored_run import StoredRun
from experiments.runs.manifest import Scale
from experiments.specs.spec import RunSpec


def scale_records(run_spec: RunSpec) -> tuple[Scale | None, Scale | None]:
    """The ends of the scale on the final episodes, and on those of the curve; None where they are not known."""
    evaluation = run_spec.evaluation
    final = score_scale_for(run_spec.env, seeds_of(evaluation, "final"))
    curve = final  # where it is no matter of the very episodes
    if final is not None and final.kind == EXACT:
        curve = score_scale_for(run_spec.env, seeds_of(evaluation, "curve"))
    return _record(final), _record(curve)


def _record(scale: ScoreScale | None) -> Scale | None:
    return None if scale is None else Scale(**scale.to_json())


def rescale(run: StoredRun, run_spec: RunSpec) -> None:
    """Let a finished run have the scale that its environment is given now, if that is another than it had."""
    known = run.run_spec
    if not run.finished or known.env.scale == run_spec.env.scale:
        return
    with run.folder.lock():
        manifest = run.folder.read_manifest()
        env = manifest.run_spec.env.model_copy(update={"scale": run_spec.env.scale})
        changed = manifest.run_spec.model_copy(update={"env": env})
        reference, curve_reference = scale_records(changed)
        run.folder.write_manifest(
            manifest.with_(run_spec=changed, reference=reference, curve_reference=curve_reference)
        )
