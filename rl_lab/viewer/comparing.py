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
from experiments.results.reading import read_groups
from rl_lab.text.first_screen import verdict_lines
from rl_lab.text.tables import number, runs_text

KINDS = {"png": "image/png", "svg": "image/svg+xml"}
MOST_IN_A_MATRIX = 12  # agents


def compared(runs: Sequence[Path]) -> dict[str, Any]:
    """Compare runs.

    Raises:
        InputError: they cannot be compared.
    """
    comparison = compare_groups(read_groups(runs))
    return {
        "envs": [_environment(comparison, env) for env in comparison.envs],
        "verdicts": list(verdict_lines(comparison)),
        "figures": _figures(comparison),
        "notes": sorted({note for one in comparison.summaries for note in one.notes}),
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
