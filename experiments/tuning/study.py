"""An Optuna study: where candidates come from, and where what they came to is kept."""

import contextlib
import json
import math
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from experiments.errors import InputError
from experiments.tuning.sampling import next_sampler, pruner_of
from experiments.tuning.searched import Searched, Settings

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

# The names of what is kept beside Optuna's own: of a study, and of candidates.
IDENTITY, MACHINE, POINTS, SCORES, STEPS, ERROR = "identity", "machine", "points", "scores", "env_steps", "error"
SEEN = "seen:"  # and a machine's name: when it was last heard of, in seconds since 1970
LOST = "its machine was lost; tried again"
BEAT, SILENCE = 30.0, 300.0  # seconds between two signs of life; after which a machine is taken for lost


class TuningStudy:
    """One agent's study.

    Args:
        storage: where it is kept; several machines may share it.
        searched: what is searched.
        machine: this one's name, the same whenever the same command goes on.
        shared: may other machines have candidates in it?

    Raises:
        InputError: the study is of something else.
    """

    def __init__(self, storage: "BaseStorage", searched: Searched, machine: str, *, shared: bool) -> None:
        import optuna

        self.searched, self.machine, self._shared = searched, machine, shared
        name = f"{searched.spec.name}/{searched.label}"
        self._study: Study = optuna.create_study(
            storage=storage, study_name=name, direction="maximize", load_if_exists=True, pruner=pruner_of(searched)
        )
        known = self._study.user_attrs.get(IDENTITY)
        if known is None:
            self._study.set_user_attr(IDENTITY, searched.identity())
        elif known != searched.identity():
            raise InputError(
                f"the study {name!r} searched something else ({_difference(known, searched.identity())}); give the "
                "spec another name, or remove the study"
            )
        self._distributions = searched.distributions()

    @property
    def most(self) -> int:
        """Candidates that there will be: those asked for; of a grid, no more than it has."""
        tuning = self.searched.spec.tuning
        if tuning.sampler != "grid":
            return tuning.candidates
        return min(tuning.candidates, math.prod(map(len, self.searched.grid().values())))

    def trials(self) -> "list[FrozenTrial]":
        """All candidates, those that a lost machine has left to others apart."""
        return [one for one in self._study.get_trials(deepcopy=False) if one.user_attrs.get(ERROR) != LOST]

    def mine(self) -> "list[FrozenTrial]":
        """The candidates that this machine has begun and not ended, as after a kill."""
        return [one for one in self._running() if self._machine_of(one) == self.machine]

    def elsewhere(self) -> "list[FrozenTrial]":
        """The candidates that are being tried on other machines."""
        return [one for one in self._running() if self._machine_of(one) != self.machine]

    def _machine_of(self, trial: "FrozenTrial") -> str:
        """Who tries a candidate; of one that was begun a moment ago that may not be known yet."""
        return str(trial.user_attrs.get(MACHINE, "" if self._shared else self.machine))

    def _running(self) -> "list[FrozenTrial]":
        return [one for one in self.trials() if one.state.name == "RUNNING"]

    def ask(self) -> "tuple[int, Settings] | None":
        """The next candidate's number and settings; None where there are enough.

        What is suggested depends on the search's seed and on the candidates so far alone: a search that was killed goes
        on as if it had not been (with one job; with several, candidates end in another order from time to time).
        """
        self._take_over()
        so_far = [one for one in self.trials() if one.state.name != "WAITING"]
        if len(so_far) >= self.most:
            return None
        self._study.sampler = next_sampler(self.searched, so_far)
        with _quiet():
            trial = self._study.ask(self._distributions)
        settings = self.searched.settings(trial.params)
        trial.set_user_attr(MACHINE, self.machine)
        return trial.number, settings

    def settings_of(self, trial: "FrozenTrial") -> Settings:
        """A candidate's settings."""
        return self.searched.settings(trial.params)

    def report(self, number: int, point: str, value: float) -> bool:
        """A candidate has come to an evaluation. True: it lags behind, and is to be pruned.

        Args:
            number: the candidate's.
            point: which evaluation it is: one that is told again, as after a kill, is the same one.
            value: the mean of its runs' scores so far.
        """
        import optuna

        trial = optuna.Trial(self._study, self._id(number))
        points = [*trial.user_attrs.get(POINTS, [])]
        if point not in points:
            points.append(point)
            trial.set_user_attr(POINTS, points)
        with _quiet():
            trial.report(value, 1 + points.index(point))
            return bool(trial.should_prune())

    def scored(self, number: int, env_steps: int, score: float, scores: Sequence[Sequence[float]]) -> None:
        """All of a candidate's runs have ended.

        Args:
            number: the candidate's.
            env_steps: that they took.
            score: the IQM of its runs' scores.
            scores: of its runs [environments][seeds].
        """
        self._attribute(number, STEPS, env_steps)
        self._attribute(number, SCORES, [list(of_env) for of_env in scores])
        self._study.tell(number, score)

    def pruned(self, number: int, env_steps: int) -> None:
        """A candidate was pruned, after so many env steps."""
        from optuna.trial import TrialState

        self._attribute(number, STEPS, env_steps)
        self._study.tell(number, state=TrialState.PRUNED)

    def failed(self, number: int, why: str, env_steps: int = 0) -> None:
        """A candidate's run has failed, after so many env steps of its runs."""
        from optuna.trial import TrialState

        self._attribute(number, STEPS, env_steps)
        self._attribute(number, ERROR, why)
        self._study.tell(number, state=TrialState.FAIL)

    def importances(self) -> dict[str, float]:
        """How much of the scores' variance each setting explains (fANOVA, Hutter et al. 2014), the greatest first.

        Empty where too few candidates have ended, or all are equally good.
        """
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        values = [one.value for one in self.trials() if one.state.name == "COMPLETE"]
        if len(values) < 4 or len(set(values)) < 2:
            return {}
        with _quiet():
            found = get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=0))
        return {name: float(share) for name, share in found.items()}

    @contextlib.contextmanager
    def alive(self) -> Iterator[None]:
        """Within this block the others that share the study can see that this machine lives."""
        stop = threading.Event()

        def beat() -> None:
            while True:
                with contextlib.suppress(Exception):  # the storage may be away for a while
                    self._study.set_user_attr(SEEN + self.machine, time.time())
                if stop.wait(BEAT):
                    return

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(BEAT)

    def _take_over(self) -> None:
        """Candidates of machines that have not been heard of for long are tried again, by whoever asks next."""
        seen = self._study.user_attrs
        for trial in self.elsewhere():
            begun = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
            if time.time() - max(begun, seen.get(SEEN + self._machine_of(trial), 0.0)) > SILENCE:
                self.failed(trial.number, LOST)
                self._study.enqueue_trial(trial.params)

    def _id(self, number: int) -> int:
        return int(self._study.get_trials(deepcopy=False)[number]._trial_id)

    def _attribute(self, number: int, name: str, value: Any) -> None:
        self._study._storage.set_trial_user_attr(self._id(number), name, value)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings that are Optuna's own affair, such as of what is experimental in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _difference(known: str, asked: str) -> str:
    """What two identities differ in, in a few words."""
    there, here = json.loads(known), json.loads(asked)
    for part in ("agent", "settings", "space"):
        if there.get(part) != here[part]:
            return f"{part}: {json.dumps(there.get(part))} there, {json.dumps(here[part])} now"
    return "its environments, budget, evaluation or number of seeds"
