"""Results of other libraries: stable-baselines3, RL Baselines3 Zoo, marl-eval, and plain CSV.

Reading runs no code from them: no pickles, no YAML. What is not known of such a run, as on which episodes it was
judged, is left open, and said where it matters.
"""

import csv
import json
import math
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import InputError, located
from experiments.evaluation.score_scale import measured_scale
from experiments.files import LARGEST_TEXT, files_below, open_regular, read_text
from experiments.results.run_result import NOTHING, Curve, FloatArray, Identity, RunResult, finite
from experiments.results.score_file import is_scores, scores_to_results
from experiments.specs.labels import LONGEST

NOT_SHARED = "its evaluation episodes are its own, not the lab's shared ones"
CURVES_LAST = "its score is the last evaluation of its learning curve"
TRAINING_LAST = "its score is the mean of its last 100 training episodes, with exploration"
LAST_EPISODES = 100
CSV_COLUMNS = ("agent", "env", "seed", "step", "return")
RETURN_NAMES = ("return", "mean_episode_return", "episode_return", "mean_return", "returns", "mean_norm_return")
ZOO_RUN = re.compile(r"(?P<env>.+)_(?P<number>\d+)")
VERSIONED = re.compile(r".+-v\d+")
MONITOR, EVALUATIONS = "monitor.csv", "evaluations.npz"


def read_file(path: Path) -> list[RunResult]:
    """The runs of a file: CSV, marl-eval's JSON, the lab's own scores, or one of stable-baselines3's logs.

    Raises:
        InputError: it is none of these, or damaged.
    """
    if path.name.endswith(MONITOR) or path.suffix == ".npz":
        return [_stable_baselines3_run(path.parent, [path], 0, _own_name(path))]
    if path.suffix == ".csv":
        return _plain_csv(path)
    if path.suffix == ".json":
        try:
            values = json.loads(read_text(path))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: damaged: {error}") from error
        return scores_to_results(values, str(path)) if is_scores(values) else _marl_eval(values, path)
    expected = "a run folder, .csv, .json, monitor.csv or evaluations.npz"
    raise InputError(f"{path}: expected {expected}, got {path.name}")


# -- stable-baselines3 and its Zoo ------------------------------------------------------------------------


def read_folder(folder: Path) -> list[RunResult]:
    """The runs of stable-baselines3 below a folder: `<agent>/<env>_<number>/` as in the Zoo, or `<agent>/<run>/`.

    Raises:
        InputError: a log is damaged.
    """
    runs: list[RunResult] = []
    for path, files in sorted(_run_folders(folder).items()):
        named = [file for file in sorted(files) if _own_name(file) is not None]
        if len(named) > 1:  # a monitor with a name of its own is a run of its own
            runs += [_stable_baselines3_run(path, [file], len(runs), _own_name(file), begun=True) for file in named]
        else:
            runs.append(_stable_baselines3_run(path, sorted(files), len(runs), begun=True))
    return runs


def _own_name(path: Path) -> str | None:
    """What a monitor's file is called beyond the number of an environment's copy, as in `seed3.monitor.csv`."""
    name = path.name.removesuffix(MONITOR).strip(".")
    return name if path.name.endswith(MONITOR) and name and not name.isdigit() else None


def _run_folders(folder: Path) -> dict[Path, list[Path]]:
    found: dict[Path, list[Path]] = {}
    for path in files_below(folder):
        if path.name.endswith(MONITOR) or path.name == EVALUATIONS:
            found.setdefault(path.parent, []).append(path)
    return found


def _stable_baselines3_run(
    folder: Path, files: Sequence[Path], number: int, name: str | None = None, *, begun: bool = False
) -> RunResult:
    """A run; with `begun`, one of which no episode has ended yet has not finished, else that is an error."""
    folder = folder.resolve() if folder == Path() else folder
    monitors = [path for path in files if path.name.endswith(MONITOR)]
    evaluations = next((path for path in files if path.suffix == ".npz"), None)
    training, env = _monitors(monitors) if monitors else (NOTHING, "")
    zoo = ZOO_RUN.fullmatch(folder.name)
    digits = re.search(r"(\d+)$", folder.name) if name is None else re.search(r"(\d+)\W*$", name)
    known_seed = _zoo_seed(folder)
    seed = int(zoo["number"] if zoo else digits[1] if digits else number) if known_seed is None else known_seed
    curve, scores, note = NOTHING, training[1][-LAST_EPISODES:], TRAINING_LAST
    if evaluations is not None:
        curve, scores = _evaluations(evaluations)
        note = CURVES_LAST
    if not len(scores) and not begun:
        raise InputError(f"{folder}: no episode has ended")
    ends = [steps[-1] for steps, _ in (curve, training) if len(steps)]
    env_id = env or folder.name
    if zoo is not None and (not env or VERSIONED.fullmatch(zoo["env"])):  # else the monitor knows better
        env_id = zoo["env"]
    scale = measured_scale(env_id)
    return RunResult(
        env=_label(env_id),
        agent=_label((folder.parent if name is None else folder).name or "agent"),
        identity=Identity((folder.parent if name is None else folder).name),
        seed=seed,
        place=str(folder if name is None else files[0]),
        status="finished" if len(scores) else "running",
        scores=scores,
        curve=curve,
        training=training,
        scale=scale,
        curve_scale=scale,
        env_steps=int(max(ends, default=0)),
        notes=(NOT_SHARED, note),
    )


def _zoo_seed(folder: Path) -> int | None:
    """The seed in the Zoo's args.yml, which is read as text: its YAML would make objects."""
    for path in folder.glob("*/args.yml"):
        found = re.search(r"- - seed\n\s+- (\d+)", read_text(path))
        if found:
            return int(found[1])
    return None


def _monitors(paths: Sequence[Path]) -> tuple[Curve, str]:
    """Training episodes of one run, from a monitor.csv for each copy of its environment; and the environment's id.

    Rows stand in the order in which episodes ended. Their clock `t` begins again where another process went on with
    the file, so the copies' episodes are put in order session by session.
    """
    rows: list[tuple[int, float, float, float]] = []  # session, time, return, length
    env = ""
    for path in paths:
        with located(f"{path}: damaged"):
            text = read_text(path)
            lines = text[: text.rfind("\n") + 1].splitlines()  # a last line may be cut short
            if not lines or not lines[0].startswith("#"):
                raise InputError("expected a first line that begins with '#'")
            head = json.loads(lines[0].lstrip("#"))
            env = env or str(head.get("env_id") or "")
            rows += _monitor_rows(lines[1:], float(head.get("t_start", 0.0)))
    if len(paths) > 1:
        rows.sort(key=lambda row: row[:2])  # stable: rows of one file stay in their order
    steps = np.cumsum([length for _, _, _, length in rows]) if rows else np.zeros(0)
    with located(f"{paths[0]}: damaged"):
        return (finite(steps), finite([total for _, _, total, _ in rows])), env


def _monitor_rows(lines: Sequence[str], begun: float) -> list[tuple[int, float, float, float]]:
    """The rows of a monitor.csv after its first line: session, time, return, length."""
    reader = csv.reader(lines)
    names = next(reader, [])
    if missing := {"r", "l", "t"} - set(names):
        raise InputError(f"line 2: expected columns r, l, t, got none called {min(missing)}")
    total, length, clock = (names.index(name) for name in ("r", "l", "t"))
    rows, session, last = [], 0, -math.inf
    for line, row in enumerate(reader, start=3):
        if not row:
            continue
        if len(row) != len(names):
            raise InputError(f"line {line}: expected {len(names)} fields, got {len(row)}: two processes wrote it?")
        try:
            now, reward, steps = float(row[clock]), float(row[total]), float(row[length])
        except ValueError as error:
            raise InputError(f"line {line}: {error}") from None
        session += now < last
        last = now
        rows.append((session, begun + now, reward, steps))
    return rows


def _evaluations(path: Path) -> tuple[Curve, FloatArray]:
    """The curve of an evaluations.npz, and the returns of its last evaluation."""
    with located(f"{path}: damaged"):
        try:
            with open_regular(path) as file, np.load(file, allow_pickle=False) as arrays:
                _check_sizes(arrays.zip, path)
                steps, results = finite(arrays["timesteps"]), finite(arrays["results"])
        except (KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"expected the arrays timesteps and results: {error}") from error
        if results.ndim != 2 or len(steps) != len(results) or not results.size:
            raise InputError(f"expected results [points, episodes], got shape {results.shape}")
        return (steps, results.mean(axis=1)), results[-1]


def _check_sizes(archive: Any, path: Path) -> None:
    """Raise where the arrays of a file are larger than results can be: their sizes stand before them."""
    if sum(entry.file_size for entry in archive.infolist()) > LARGEST_TEXT:
        raise InputError(f"expected at most {LARGEST_TEXT:,} bytes of arrays")


# -- plain CSV --------------------------------------------------------------------------------------------


def _plain_csv(path: Path) -> list[RunResult]:
    """A row an evaluation episode, or a mean of some: agent, env, seed, step, return."""
    runs: dict[tuple[str, str, int], dict[float, list[float]]] = {}
    with located(str(path)):
        text = read_text(path)
        first = text.partition("\n")[0]
        # A spreadsheet may part columns by something else, where the comma is the decimal sign.
        delimiter = next((one for one in (";", "\t") if one in first and "," not in first), ",")
        reader = csv.DictReader(text.splitlines(), delimiter=delimiter)
        missing = [name for name in CSV_COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise InputError(f"expected columns {', '.join(CSV_COLUMNS)}, got {', '.join(reader.fieldnames or [])}")
        for line, row in enumerate(reader, start=2):
            if None in row or None in row.values():
                raise InputError(f"line {line}: expected {len(reader.fieldnames or [])} fields, got others")
            try:
                key = (row["env"], row["agent"], _seed(row["seed"]))
                runs.setdefault(key, {}).setdefault(_finite(row["step"]), []).append(_finite(row["return"]))
            except (TypeError, ValueError) as error:
                raise InputError(f"line {line}: {error}") from error
    if not runs:
        raise InputError(f"{path}: there is no row in it")
    return [
        _of_points(env, agent, seed, points, f"{path} ({agent} on {env}, seed {seed})")
        for (env, agent, seed), points in runs.items()
    ]


def _finite(text: Any) -> float:
    try:
        return float(finite([text])[0])
    except ValueError:
        raise ValueError(f"expected a finite number, got {text!r}") from None


def _seed(text: Any) -> int:
    number = float(text)
    seed = int(text) if str(text).strip().lstrip("+-").isdecimal() else int(number)  # 0.0, as pandas writes it
    if number != seed:
        raise ValueError(f"expected a whole number as seed, got {text!r}")
    if not 0 <= seed < 1 << 63:
        raise ValueError(f"expected a seed of at least 0, got {text!r}")
    return seed


def _of_points(
    env: str, agent: str, seed: int, points: dict[float, list[float]], place: str, final: Sequence[float] | None = None
) -> RunResult:
    """A run from its evaluations by env step; the final ones where there are any, else the last."""
    steps = np.array(sorted(points), dtype=float)
    curve = (steps, np.array([np.mean(points[step]) for step in steps.tolist()]))
    scores = finite(points[steps[-1]] if final is None else final)
    if not len(scores):
        raise ValueError(f"{place}: no episode of the final evaluation")
    scale = measured_scale(env)
    return RunResult(
        env=_label(env),
        agent=_label(agent),
        identity=Identity(agent),
        seed=seed,
        place=place,
        scores=scores,
        curve=curve,
        scale=scale,
        curve_scale=scale,
        env_steps=int(steps[-1]),
        notes=(NOT_SHARED,) if final is not None else (NOT_SHARED, CURVES_LAST),
    )


def _label(text: str) -> str:
    """A name as it can be shown in a line; it keeps its script."""
    plain = "".join(one if one.isprintable() else " " for one in unicodedata.normalize("NFC", text))
    return re.sub(r"[^\w.=+-]+", "-", plain).strip("-.")[:LONGEST] or "unnamed"


# -- marl-eval --------------------------------------------------------------------------------------------


def _marl_eval(values: Any, path: Path) -> list[RunResult]:
    """marl-eval's JSON: environment, task, algorithm, run, `step_<n>` and `absolute_metrics`."""
    results = []
    try:
        several = len(values) > 1
        for env, tasks in values.items():
            for task, algorithms in tasks.items():
                for algorithm, runs in algorithms.items():
                    for number, (name, run) in enumerate(runs.items()):
                        label = f"{env}-{task}" if several else task
                        digits = re.search(r"(\d+)$", name)
                        seed = int(digits[1]) if digits else number
                        results.append(_marl_eval_run(label, algorithm, seed, run, f"{path} ({algorithm}, {name})"))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected the lab's scores or marl-eval's JSON: {error!r}") from error
    if not results:
        raise InputError(f"{path}: there is no run in it")
    return results


def _marl_eval_run(env: str, agent: str, seed: int, run: dict[str, Any], place: str) -> RunResult:
    steps = {name: of_step for name, of_step in run.items() if name.startswith("step_")}
    if not steps:
        raise ValueError(f"{place}: no step_<n>")
    metric = _metric(next(iter(steps.values())), place)
    points = {
        _finite(of_step["step_count"]): [_finite(value) for value in _listed(of_step[metric])]
        for of_step in steps.values()
    }
    absolute = run.get("absolute_metrics", {}).get(metric)
    return _of_points(env, agent, seed, points, place, None if absolute is None else list(_listed(absolute)))


def _metric(of_step: dict[str, Any], place: str) -> str:
    """The name of the return among a step's metrics."""
    metrics = [name for name in of_step if name not in ("step_count", "elapsed_time")]
    chosen = next((name for name in RETURN_NAMES if name in metrics), metrics[0] if len(metrics) == 1 else None)
    if chosen is None:
        raise ValueError(f"{place}: expected a metric called {' or '.join(RETURN_NAMES)}, got {', '.join(metrics)}")
    return chosen


def _listed(value: Any) -> Iterable[float]:
    values = value if isinstance(value, list) else [value]
    if not values or not all(type(one) in (int, float) for one in values):
        raise ValueError(f"expected numbers, got {value!r}")
    return values
