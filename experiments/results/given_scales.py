"""Scales of scores that come with a comparison, and not with the runs: from a file, or from who calls."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from experiments.errors import InputError, explain, unknown
from experiments.evaluation.score_scale import GIVEN, ScoreScale
from experiments.files import read_text
from experiments.results.run_result import RunResult
from experiments.specs.spec import GivenScale

ENDS = ("floor", "ceiling")
LARGEST = 10_000_000  # bytes
NORMALISED = GivenScale(floor=0.0, ceiling=1.0)  # of scores that are normalised already
Scales = Mapping[str, GivenScale]  # by the environments' labels


def read_scales(path: Path) -> Scales:
    """The scales in a TOML file: a table for each environment, by its label, with a floor, a ceiling or both.

    Raises:
        InputError: it is missing or damaged, or a scale is none.
    """
    try:
        values = tomllib.loads(read_text(path, largest=LARGEST, wrong="cannot read the scales"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: broken TOML: {error}") from error
    return parse_scales(values, str(path))


def parse_scales(values: Mapping[str, Any], place: str) -> Scales:
    """The scales in tables by the environments' labels.

    Raises:
        InputError: a scale is none.
    """
    scales: dict[str, GivenScale] = {}
    for env, table in values.items():
        if not isinstance(table, dict):
            label = "maze" if env in ENDS else env
            expected = f"a table for each environment, such as [{label}] with floor = ... and ceiling = ..."
            raise InputError(f"{place}: {env}: expected {expected}, got {table!r}")
        try:  # as from JSON, so that a whole number will do for a number
            scales[env] = GivenScale.model_validate_json(json.dumps(table, default=str))
        except ValidationError as error:
            raise InputError(f"{place}: {env}: {explain(error, GivenScale.model_fields)}") from error
    return scales


def with_scales(runs: Sequence[RunResult], scales: Scales | None, *, normalised: bool = False) -> list[RunResult]:
    """The runs, those in environments that a scale is given for with that scale.

    Args:
        runs: all that are compared.
        scales: by the environments' labels; an end that is not given stays what the run knows.
        normalised: the scores of all the others are normalised already: 0 is their floor, 1 their ceiling.

    Raises:
        InputError: there is no run in any of these environments, or an end is missing.
    """
    known = {run.env for run in runs}
    if scales and not known & scales.keys():
        raise unknown("environment in the scales", next(iter(scales)), known)
    others = NORMALISED if normalised else None
    return [_scaled(run, (scales or {}).get(run.env, others)) for run in runs]


def _scaled(run: RunResult, given: GivenScale | None) -> RunResult:
    if given is None:
        return run
    known = run.scale
    ends = {
        "floor": given.floor if given.floor is not None or known is None else known.floor,
        "ceiling": given.ceiling if given.ceiling is not None or known is None else known.ceiling,
    }
    for name, value in ends.items():
        if value is None and run.finished:
            raise InputError(f"the scale of {run.env}: {name}: expected a number, got nothing, and no run knows one")
    if ends["floor"] is None or ends["ceiling"] is None:
        return run
    kind = GIVEN if given.ceiling is not None or known is None else known.kind
    error = 0.0 if given.floor is not None or known is None else known.floor_error
    scale = ScoreScale(ends["floor"], error, ends["ceiling"], kind, run.measure)
    return replace(run, scale=scale, curve_scale=scale)
