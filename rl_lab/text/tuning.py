"""What `rl-lab tune` says of a search."""

from experiments.comparison.bootstrap import Estimate
from experiments.tuning.result import TuningResult
from experiments.tuning.sampling import FEWEST, FIRST_REPORTS, REDUCTION

MOST_EQUALS = 6  # candidates that are named
RULES = {
    "median": f"From evaluation {FIRST_REPORTS + 1} of a candidate on, over all its runs, it is stopped if its best "
    "mean score so far is below the median of what the others had at that evaluation; not before "
    f"{FEWEST} candidates have finished (Vizier's median rule, Golovin et al. 2017).",
    "halving": f"At evaluations {FIRST_REPORTS}, {FIRST_REPORTS * REDUCTION}, {FIRST_REPORTS * REDUCTION**2}, ... of a "
    f"candidate, over all its runs, it is stopped unless it is in the best 1 / {REDUCTION} of those that have come "
    "there (asynchronous successive halving, Li et al. 2020).",
    "none": "Every candidate is trained to its end.",
}


def result_lines(result: TuningResult) -> list[str]:
    """The answer first: the winner, what it is worth, what was spent."""
    best = result.best
    runs = f"{result.num_seeds} seed{'' if result.num_seeds == 1 else 's'} a candidate"
    counts = ", ".join(f"{result.count(state)} {state}" for state in ("finished", "pruned", "failed", "running"))
    budget = f"budget: {len(result.candidates)} candidates ({counts}), {runs}, {result.env_steps:,} env steps"
    if best is None:
        return [f"{result.agent} on {', '.join(result.envs)}: no candidate has finished", budget]
    chosen = [name for name in result.space if name in best.settings]
    settings = ", ".join(f"{name} = {value_text(best.settings[name])}" for name in chosen)
    lines = [f"{result.agent} on {', '.join(result.envs)}: best is candidate {best.number}: {settings}"]
    if equals := [str(one.number) for one in result.finished if one.score == best.score and one != best]:
        more = f" and {len(equals) - MOST_EQUALS} more" if len(equals) > MOST_EQUALS else ""
        named = f"candidate{'s' * (len(equals) > 1)} {', '.join(equals[:MOST_EQUALS])}{more}"
        lines.append(f"as good in the search: {named}")
    fresh = result.fresh
    if fresh is not None:
        runs = f"IQM of {fresh.num_runs} runs with fresh seeds"
        lines.append(f"fresh score {_estimate(fresh.score)}: {runs} ({fresh.measured})")
        promised = f"{best.score:.4g}" if best.score is not None else ""
        if f"{fresh.tuned:.4g}" != promised:
            promised += f", on other episodes; on the scale of these {fresh.tuned:.4g}"
        lines.append(f"optimism gap {_estimate(fresh.gap)}: its score in the search was {promised}")
    else:
        lines.append(f"score in the search {best.score:.4g}, which promises too much: the best of many")
    lines.append(budget)
    if result.importances:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in result.importances.items())
        lines.append(f"what explains the scores: {shares}")
    return lines


def value_text(value: object) -> str:
    """A setting's value in a few digits."""
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


def _estimate(one: Estimate) -> str:
    ends = "" if one.ends is None else f" [{one.ends[0]:.4g}, {one.ends[1]:.4g}]"
    return f"{one.value:.4g}{ends}"
