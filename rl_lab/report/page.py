"""report.html: a comparison as one file that opens offline, on a phone, and in print."""

import base64
import contextlib
import json
import shlex
import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.comparison.comparison import Comparison
from experiments.comparison.pair import AgentPair
from experiments.comparison.ranking import ranked
from experiments.errors import InputError
from experiments.figures import learning_curves, time_curves
from experiments.files import replace_file
from experiments.results.groups import Groups
from experiments.results.run_result import RunResult
from experiments.runs.open_run import OpenRun, open_run
from experiments.specs.labels import folder_name
from rl_lab.show.recorded_page import MOST_TRACKS, can_be_told, record
from rl_lab.show.watch import Look, can_be_drawn, watch_runs
from rl_lab.text.first_screen import verdict_lines
from rl_lab.web.page import standalone_page

TEMPLATE = "report.html.jinja"
MANIFEST_KEYS = ("command", "git", "versions", "machine", "threads", "seeds", "agent_settings", "wrappers", "engine")


def write_report(
    path: Path, comparison: Comparison, groups: Groups, *, videos: bool | None, trust_code: bool = False
) -> Path:
    """Write the report of a comparison whose figures lie beside it.

    Args:
        path: the file.
        comparison: the numbers.
        groups: the runs.
        videos: record the median runs; None records those whose agent and environment are not `module:Class`, so that
            comparing imports no code.
        trust_code: import code that this user has not run here, too.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rl_lab.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "ends": _ends, "steps": _steps, "p": _p, "seconds": _seconds}
    folder = path.parent
    envs = comparison.envs
    names = ("aggregates", "scores", "profiles", "improvement")
    runs = [run for of_pair in groups.values() for run in of_pair]
    shown = {} if videos is False else _median_runs(groups, of_own_code=videos is True, trust_code=trust_code)
    text = environment.get_template(TEMPLATE).render(
        comparison=comparison,
        envs=envs,
        aggregates=ranked(comparison.aggregates),
        summaries={env: ranked(comparison.in_env(env)) for env in envs},
        short=list(verdict_lines(comparison)),
        verdicts=_verdicts(comparison),
        singles=[single for pair in comparison.pairs for single in pair.by_env or []],
        figures={name: _picture(folder / f"{name}.svg") for name in names},
        curves={env: _picture(folder / folder_name(env) / f"{learning_curves.FILE_NAME}.svg") for env in envs},
        times={env: _picture(folder / folder_name(env) / f"{time_curves.FILE_NAME}.svg") for env in envs},
        shown=shown,
        players=_players(shown),
        failed=[run for run in runs if not run.finished],
        manifests=_manifests(groups),
        counts=_counts(runs),
        notes=sorted({(note, run.agent, run.env) for run in runs for note in run.notes}),
    )
    replace_file(path, text.encode())
    return path


def _verdicts(comparison: Comparison) -> list[tuple[str, AgentPair]]:
    """Sentences and their pairs, decided ones first."""
    pairs = list(zip(comparison.sentences, comparison.pairs, strict=True))
    return sorted(pairs, key=lambda pair: not pair[1].verdict.decided)


def _counts(runs: list[RunResult]) -> dict[str, int]:
    return {
        "planned": len(runs),
        "finished": sum(run.finished for run in runs),
        "failed": sum(run.status == "failed" for run in runs),
        "retried": sum(run.retries for run in runs),
    }


def median_run(runs: Iterable[RunResult]) -> RunResult | None:
    """The run with the median score, of an even number the worse of the two in the middle."""
    ordered = sorted((run for run in runs if run.finished), key=lambda run: (run.score, run.seed))
    return ordered[(len(ordered) - 1) // 2] if ordered else None


@dataclass(frozen=True)
class Shown:
    """The median run of an agent, as the report shows it."""

    agent: str
    seed: int
    score: float
    opened: OpenRun | None = None  # to be played by the player of its environment
    data: str | None = None  # a video, where it cannot be
    error: str | None = None  # why there is neither


def _median_runs(groups: Groups, *, of_own_code: bool, trust_code: bool) -> dict[str, list[Shown]]:
    """For each environment, each agent's median run, where there is a run folder to play from."""
    shown: dict[str, list[Shown]] = {}
    for (env, agent), runs in groups.items():
        run = median_run(runs)
        if run is None or run.folder is None or run.manifest is None:
            continue
        made = Shown(agent, run.seed, run.score)
        try:
            run_spec = run.manifest.run_spec
            wrappers = (wrapper.id for wrapper in run_spec.env.wrappers)
            for name in (run_spec.env.id, run_spec.agent.id, *wrappers):
                if ":" in name and not of_own_code:
                    raise InputError(f"{name} is code that comparing does not import: --videos plays it")
            opened = open_run(run.folder.path, trust_code=trust_code)
            if can_be_told(opened):
                made = replace(made, opened=opened)
            elif can_be_drawn(opened):
                made = replace(made, data=_video(opened.path, trust_code=trust_code))
            else:
                continue
        except (InputError, OSError) as error:
            made = replace(made, error=str(error))
        shown.setdefault(env, []).append(made)
    return shown


def _video(run: Path, *, trust_code: bool) -> str:
    """A run's first final episode as a video."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "episode.mp4"
        watch_runs([run], Look(), file, trust_code=trust_code)
        return _data("video/mp4", file.read_bytes())


def _players(shown: dict[str, list[Shown]]) -> dict[str, str]:
    """For each environment, the page that plays its median runs together."""
    players = {}
    for env, runs in shown.items():
        opened = [run.opened for run in runs if run.opened is not None][:MOST_TRACKS]
        if opened:
            with contextlib.suppress(InputError, OSError):
                players[env] = standalone_page(record(opened, 1).to_json())
    return players


def _manifests(groups: Groups) -> list[dict[str, Any]]:
    """Of each agent in each environment the manifest of its first run: settings, seeds, versions, machine."""
    found = []
    for (env, agent), runs in groups.items():
        first = runs[0]
        if first.manifest is None:
            found.append({"env": env, "agent": agent, "place": first.place, "values": {}})
            continue
        manifest = json.loads(first.manifest.to_json())
        values = {key: manifest[key] for key in MANIFEST_KEYS if manifest.get(key)}
        if isinstance(values.get("command"), list):
            values["command"] = shlex.join(map(str, values["command"]))
        found.append({"env": env, "agent": agent, "place": first.place, "values": values})
    return found


def _picture(path: Path) -> str | None:
    """A figure as a data URI, None where it was not drawn."""
    return _data("image/svg+xml", path.read_bytes()) if path.exists() else None


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:,.{digits}f}".replace("-", "−")


def _ends(ends: tuple[float, float] | None, digits: int = 2) -> str:
    return "–" if ends is None else f"[{_number(ends[0], digits)}, {_number(ends[1], digits)}]"


def _steps(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _seconds(values: list[float | None]) -> str:
    """The median of wall-clock times."""
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.1f} s" if known else "–"


def _p(value: float) -> str:
    return "< .0001" if value < 1e-4 else f"{value:.4f}".lstrip("0")
