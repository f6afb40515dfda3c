"""Runs by environment and agent; which may be pooled, and which compared."""

from collections.abc import Iterable
from dataclasses import replace

from experiments.errors import InputError
from experiments.results.run_result import RunResult, Task
from experiments.runs.own_code import differing

Groups = dict[tuple[str, str], list[RunResult]]  # (environment label, agent label) -> runs


def group_runs(results: Iterable[RunResult]) -> Groups:
    """The runs by environment and agent. Agents of different experiments with one label are told apart.

    Raises:
        InputError: runs of one environment were not evaluated alike, and so cannot be compared.
    """
    results = list(results)
    owners: dict[tuple[str, str], set[str]] = {}
    for run in results:
        owners.setdefault((run.env, run.agent), set()).add(run.experiment)
    groups: Groups = {}
    first_of: dict[str, RunResult] = {}
    for run in results:
        first = first_of.setdefault(run.env, run)
        if run.finished and not first.finished:
            first = first_of[run.env] = run
        check_same_task(run.env, first.task, run.task, f"{run.place} and {first.place}")
        several = len(owners[run.env, run.agent]) > 1 and run.experiment
        label = f"{run.experiment}:{run.agent}" if several else run.agent
        if run.finished and first.finished and run.measure != first.measure:
            kinds = f"{run.measure} against {first.measure}"
            raise InputError(f"{run.place} and {first.place}: another measure under the label {run.env!r} ({kinds})")
        group = groups.setdefault((run.env, label), [])
        if group:
            _check_same_agent(group, run)
        group.append(run)
    return _on_one_scale({key: _noting_code(runs) for key, runs in groups.items()})


def _on_one_scale(groups: Groups) -> Groups:
    """The groups, all runs in an environment on one scale: where they have several, that of the latest run is it."""
    latest: dict[str, RunResult] = {}
    several: set[str] = set()
    for (env, _), runs in groups.items():
        for run in runs:
            known = latest.get(env)
            if run.finished and run.scale is not None and run.measure:
                if known is not None and known.scale != run.scale:
                    several.add(env)
                if known is None or (run.made_with.started or "") > (known.made_with.started or ""):
                    latest[env] = run
    if not several:
        return groups
    result: Groups = {}
    for (env, agent), runs in groups.items():
        one = latest[env] if env in several else None
        result[env, agent] = runs if one is None else [_on_scale_of(one, run) for run in runs]
    return result


def _on_scale_of(one: RunResult, run: RunResult) -> RunResult:
    if not run.finished or run.scale == one.scale:
        return run
    note = "its scale was another one when it was trained: that of the latest run is used"
    return replace(run, scale=one.scale, curve_scale=one.curve_scale, notes=(*run.notes, note))


def _noting_code(runs: list[RunResult]) -> list[RunResult]:
    """The runs, with a note where they are of different code."""
    codes = [run.manifest.code for run in runs if run.manifest is not None and run.manifest.attempts]
    names = sorted({name for code in codes for name in differing(codes[0], code)})
    if not names:
        return runs
    note = f"its runs differ in their code: {', '.join(names)}"
    return [replace(run, notes=(*run.notes, note)) for run in runs]


def _check_same_agent(group: list[RunResult], run: RunResult) -> None:
    """A run may join a group when it is one more seed of the same agent with the same budget."""
    first = group[0]
    place = f"{run.place}: cannot be pooled with {first.place}"
    if run.identity != first.identity:
        raise InputError(f"{place}: another agent, or other settings, under the label {run.agent!r}")
    if run.budget != first.budget:
        raise InputError(f"{place}: it trained for {_words(run.budget)}, not for {_words(first.budget)}")
    if any(run.seed == other.seed for other in group):
        raise InputError(f"{place}: seed {run.seed} is there twice, and a copy is no further run")


def _words(budget: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {'env steps' if unit == 'steps' else unit}" for unit, number in budget.items())


def check_same_task(env: str, one: Task, other: Task, place: str) -> None:
    """Check that two runs under one environment label are in one environment and judged on the same episodes.

    What is not known of a run (of another library's) is not compared.

    Raises:
        InputError: they are not, and so cannot be compared.
    """
    of_one, of_other = one.to_json(), other.to_json()
    for name in of_one.keys() & of_other.keys():
        if of_one[name] != of_other[name]:
            raise InputError(
                f"{place}: another {name} under the label {env!r} ({of_one[name]} against {of_other[name]}), "
                "which cannot be compared: give it a label of its own (name=...), or compare one experiment at a time"
            )
