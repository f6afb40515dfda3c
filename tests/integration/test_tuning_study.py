"""What a search tries next, what it gives up, and how it is kept."""

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import optuna
import pytest

from experiments.errors import InputError
from experiments.tuning.result import TuningResult
from experiments.tuning.searched import Searched
from experiments.tuning.storage import open_storage
from experiments.tuning.study import TuningStudy
from tests.searches import RATES, searched, spec


def values(result: TuningResult) -> list[dict[str, Any]]:
    return [candidate.to_json() for candidate in result.candidates]


@pytest.mark.parametrize("sampler", ["tpe", "random", "cma", "grid"])
def test_every_sampler_draws_from_the_space_alike_after_a_kill(tmp_path: Path, sampler: str) -> None:
    space = {"learning_rate": RATES, "initial_values": {"choices": ["zero", "random", 1.5]}, "discount": 0.9}
    one = spec(agent=space, tuning={"sampler": sampler, "candidates": 6, "seeds": 1, "grid_points": 3}, steps=20)
    (whole,) = searched(tmp_path / "whole", one).results
    for candidate in whole.candidates:
        assert 0.05 <= float(str(candidate.settings["learning_rate"])) <= 1.0
        assert candidate.settings["initial_values"] in ("zero", "random", 1.5)
        assert candidate.settings["discount"] == 0.9
    fewer = one.model_copy(update={"tuning": one.tuning.model_copy(update={"candidates": 3})})
    searched(tmp_path / "twice", fewer)
    (twice,) = searched(tmp_path / "twice", one).results
    assert values(twice) == values(whole)


def test_a_grid_has_every_combination_once(tmp_path: Path) -> None:
    space = {"learning_rate": {"low": 0.1, "high": 0.5, "step": 0.2}, "epsilon_min": {"choices": [0.0, 0.1]}}
    one = spec(agent=space, tuning={"sampler": "grid", "candidates": 50, "seeds": 1}, steps=20)
    (result,) = searched(tmp_path, one).results
    found = sorted(
        (round(float(str(c.settings["learning_rate"])), 9), c.settings["epsilon_min"]) for c in result.candidates
    )
    assert found == [(rate, least) for rate in (0.1, 0.3, 0.5) for least in (0.0, 0.1)]


class _Reporting:
    """A study whose candidates report what a test says."""

    def __init__(self, stack: ExitStack, folder: Path, pruner: str) -> None:
        one = spec(tuning={"pruner": pruner, "candidates": 100, "seeds": 1})
        storage = stack.enter_context(open_storage(f"sqlite:///{folder}/study.db"))
        self.study = TuningStudy(storage, Searched.of(one, one.agents[0]), "here", shared=False)

    def pruned_at(self, reports: list[float]) -> int | None:
        """The evaluation, from 1, at which a candidate with these reports is pruned."""
        asked = self.study.ask()
        assert asked is not None
        for number, report in enumerate(reports, start=1):
            if self.study.report(asked[0], str(number), report):
                self.study.pruned(asked[0], 0)
                return number
        self.study.scored(asked[0], 0, reports[-1], [[reports[-1]]])
        return None


def test_the_median_rule_by_hand(tmp_path: Path, stack: ExitStack) -> None:
    study = _Reporting(stack, tmp_path, "median")
    for level in (1.0, 2.0, 3.0, 4.0, 5.0):  # the median of these is 3
        assert study.pruned_at([level] * 4) is None  # too few have finished to say anything
    assert study.pruned_at([0.0, 0.0, 3.5, 3.5]) is None  # not before its third evaluation
    assert study.pruned_at([9.0, 0.0, 0.0, 0.0]) is None  # its best so far counts
    assert study.pruned_at([0.0, 0.0, 2.9, 9.0]) == 3


def test_an_evaluation_that_is_told_again_is_the_same_one(tmp_path: Path, stack: ExitStack) -> None:
    study = _Reporting(stack, tmp_path, "median").study
    asked = study.ask()
    assert asked is not None
    for point, value in (("a", 1.0), ("b", 2.0), ("b", 2.0), ("c", 3.0)):  # killed after b, and before its checkpoint
        study.report(asked[0], point, value)
    (trial,) = study.trials()
    assert trial.intermediate_values == {1: 1.0, 2: 2.0, 3: 3.0}


def test_successive_halving_by_hand(tmp_path: Path, stack: ExitStack) -> None:
    study = _Reporting(stack, tmp_path, "halving")
    assert study.pruned_at([1.0] * 6) is None  # the first at its rung is the best there
    assert study.pruned_at([2.0] * 6) is None
    assert study.pruned_at([0.0] * 6) == 2  # the rung at evaluation 2: one in three of 3 goes on
    assert study.pruned_at([3.0] * 6) is None


def test_the_study_is_of_one_thing_and_opens_in_optuna(tmp_path: Path) -> None:
    searched(tmp_path)
    with pytest.raises(InputError, match=r"the study 's/q' searched something else \(space: .*0.05.*0.1"):
        searched(tmp_path, spec(agent={"learning_rate": {"low": 0.1, "high": 1.0, "log": True}}))
    with pytest.raises(InputError, match="its environments, budget, evaluation or number of seeds"):
        searched(tmp_path, spec(steps=301))
    with open_storage(f"sqlite:///{tmp_path}/s-tuning/study.db") as storage:
        study = optuna.load_study(study_name="s/q", storage=storage)
        trials, best = study.trials, study.best_trial
    assert len(trials) == 4
    assert best.distributions["learning_rate"] == optuna.distributions.FloatDistribution(0.05, 1.0, log=True)


def test_an_agents_own_space_is_searched_where_the_spec_has_none() -> None:
    one = spec(agents=[{"id": "q_learning", "exploration": "boltzmann"}])
    assert set(Searched.of(one, one.agents[0]).space) == {"learning_rate", "initial_values"}  # not epsilon's
    deep = spec(agents=[{"id": "dqn"}])
    found = Searched.of(deep, deep.agents[0])
    chosen = found.settings({name: values[0] for name, values in found.grid().items()})
    assert chosen["hidden_sizes"] == [64, 64]
    assert chosen["learning_rate"] == 1e-4
    with pytest.raises(InputError, match="agents: random: expected something to search, such as learning_rate"):
        Searched.of(one, spec(agents=[{"id": "random", "name": "random"}]).agents[0])


def test_a_study_holds_no_code_that_is_executed(tmp_path: Path) -> None:
    import pickle
    import sqlite3

    one = spec(tuning={"sampler": "cma", "candidates": 3, "seeds": 1}, steps=20)
    searched(tmp_path, one)

    class Hostile:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    with sqlite3.connect(tmp_path / "s-tuning" / "study.db") as database:
        for trial in (1, 2, 3):  # where Optuna's own sampler would look for its optimiser
            for key in ("cma:optimizer", "cma:optimizer:0"):
                database.execute(
                    "insert into trial_system_attributes (trial_id, key, value_json) values (?, ?, ?)",
                    (trial, key, json.dumps(pickle.dumps(Hostile()).hex())),
                )
    database.close()
    more = one.model_copy(update={"tuning": one.tuning.model_copy(update={"candidates": 6})})
    (result,) = searched(tmp_path, more).results
    assert len(result.candidates) == 6
    assert not (tmp_path / "executed").exists()


def test_cma_goes_where_candidates_are_good() -> None:
    from optuna.distributions import FloatDistribution
    from optuna.trial import TrialState, create_trial

    from experiments.tuning.cma import cma_sampler

    space: Any = {name: FloatDistribution(0.0, 1.0) for name in ("x", "y")}
    trials: list[Any] = []
    for number in range(120):
        sampler = cma_sampler(space, trials, number)
        params = {name: sampler.sample_independent(None, None, name, one) for name, one in space.items()}  # type: ignore[arg-type]
        value = -((params["x"] - 0.9) ** 2) - (params["y"] - 0.2) ** 2
        trials.append(create_trial(state=TrialState.COMPLETE, params=params, distributions=space, value=value))
    last = trials[-1].params
    assert (last["x"], last["y"]) == pytest.approx((0.9, 0.2), abs=0.05)
