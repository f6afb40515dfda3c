"""A comparison for the screen: tables, verdicts, and the report's figures."""

import base64
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.comparison.comparison import Comparison, compare_groups
from experiments.comparison.ranking import ranked
from experiments.errors import InputError
from experiments.figures.comparison import draw_aggregates, draw_improvement, draw_profiles
from experiments.figures.learning_curves import curves_figure
from experiments.figures.style import RC, SAVED_WITH, make_figure
from experiments.results.groups import Groups
from experiments.results.reading import read_groups
from experiments.results.run_result import StoppingRule
from experiments.specs.writing import FILE as SPEC
from rl_lab.text.first_screen import verdict_lines
from rl_lab.text.tables import number, runs_text

KINDS = {"png": "image/png", "svg": "image/svg+xml"}
MOST_IN_A_MATRIX = 12  # agents
FEWEST, LOOKS = 2, 6  # seeds of a first batch, and batches at most, where a comparison goes on until it is decided


def compared(runs: Sequence[Path]) -> dict[str, Any]:
    """Compare runs.

    Raises:
        InputError: they cannot be compared.
    """
    groups = read_groups(runs)
    comparison = compare_groups(groups)
    return {
        "until_decided": _until_decided(groups, comparison),
        "envs": [_environment(comparison, env) for env in comparison.envs],
        "verdicts": list(verdict_lines(comparison)),
        "figures": _figures(comparison),
        "notes": sorted({note for one in comparison.summaries for note in one.notes}),
    }


def _until_decided(groups: Groups, comparison: Comparison) -> dict[str, Any] | None:
    """With which seeds these runs' experiment would go on until all is decided; None where it could not."""
    everything = [run for runs in groups.values() for run in runs]
    folders = {run.folder.path.parents[2] for run in everything if run.folder is not None and run.finished}
    counts = {len(runs) for runs in groups.values()}
    whole = all(run.folder is not None and run.finished for run in everything)
    if not comparison.undecided or len(folders) != 1 or not whole:
        return None
    (folder,) = folders
    if not (folder / SPEC).is_file() or (folder / SPEC).is_symlink():
        return None
    if any({run.seed for run in runs} != set(range(len(runs))) for runs in groups.values()):
        return None
    rule = next((run.stopping.rule for run in everything if run.stopping is not None), None)
    if rule is None and (len(counts) > 1 or min(counts) < FEWEST):
        return None
    rule = rule or StoppingRule(min(counts), LOOKS)
    if max(counts) >= rule.batch * rule.looks:
        return None
    return {
        "experiment": folder.name,
        "seeds": max(counts),
        "pairs": len(comparison.undecided),
        "batch": rule.batch,
        "max_seeds": rule.batch * rule.looks,
    }


def _environment(comparison: Comparison, env: str) -> dict[str, Any]:
    rows = ranked(comparison.in_env(env))
    scale = next((one.scale for one in rows if one.scale), None)
    return {
        "env": env,
        "scale": None if scale is None else {"floor": scale.floor, "ceiling": scale.ceiling, "kind": scale.kind},
        "agents": [
            {
                "agent": one.agent,
                "runs": runs_text(one),
                "iqm": one.iqm.value if one.iqm else None,
                "interval": number(one.iqm.value if one.iqm else None)
                + (f" [{number(one.iqm.ends[0])}, {number(one.iqm.ends[1])}]" if one.iqm and one.iqm.ends else ""),
                "normalised": one.normalised.iqm.value if one.normalised and one.normalised.iqm else None,
                "ended": one.endings.in_words() if one.endings else "",
            }
            for one in rows
        ],
    }


def _figures(comparison: Comparison) -> list[dict[str, str]]:
    """The report's figures as SVG."""
    drawn = []
    height = 1.7 + 0.32 * len(comparison.agents)
    if comparison.aggregates:
        drawn.append(("aggregates", (11.0, height), partial(draw_aggregates, comparison=comparison)))
        drawn.append(("profiles", (7.2, 4.8), partial(draw_profiles, comparison=comparison)))
    if comparison.pairs and len(comparison.agents) <= MOST_IN_A_MATRIX:
        side = 3.2 + 0.72 * len(comparison.agents)
        drawn.append(("improvement", (side + 1.4, side), partial(draw_improvement, comparison=comparison)))
    return [{"name": name, "picture": _picture(make_figure(size, draw), "svg")} for name, size, draw in drawn]


def curves_picture(runs: Sequence[Path], env: str, kind: str) -> dict[str, Any]:
    """The learning curves of finished runs in an environment, as our own figures draw them.

    Raises:
        InputError: no run of them has finished in that environment, or the format is unknown.
    """
    if kind not in KINDS:
        raise InputError(f"format: expected {' or '.join(KINDS)}, got {kind!r}")
    groups = read_groups(runs)
    if not any(of == env and run.finished for (of, _), members in groups.items() for run in members):
        raise InputError(f"expected finished runs in {env}, got none")
    return {"picture": _picture(curves_figure(groups, env), kind)}


def _picture(figure: Any, kind: str) -> str:
    """A figure as a data URI."""
    import matplotlib

    written = io.BytesIO()
    with matplotlib.rc_context(RC):
        figure.savefig(written, format=kind, **SAVED_WITH[kind])
    return f"data:{KINDS[kind]};base64,{base64.b64encode(written.getvalue()).decode()}"
