"""Adding seeds in batches to the agents that are still undecided, by a test that minds the looks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.comparison.comparison import Comparison, compare_groups
from experiments.errors import InputError
from experiments.execution.drive import Listener
from experiments.execution.executor import Executor, LocalExecutor
from experiments.execution.experiment import Outcome, run_experiment
from experiments.results.groups import group_runs
from experiments.results.run_result import Stopping, StoppingRule
from experiments.results.stored_run import StoredRun
from experiments.runs.run_folder import RunFolder
from experiments.specs.spec import RunSpec, Spec

BATCH, MOST_SEEDS = 5, 30  # if nothing else is asked for


@dataclass(frozen=True)
class Look:
    """A batch of seeds has been run, and all runs so far were compared."""

    number: int  # from 1
    rule: StoppingRule
    outcome: Outcome
    run_specs: list[RunSpec]  # of all batches so far
    comparison: Comparison

    @property
    def is_last(self) -> bool:
        """Is everything decided, or are there no more looks?"""
        return not self.comparison.undecided or self.number == self.rule.looks


def check_rule(batch: int, most_seeds: int) -> StoppingRule:
    """The rule of so many seeds a batch, and in all.

    Raises:
        InputError: the one does not go into the other.
    """
    if most_seeds % batch or most_seeds < batch:
        raise InputError(f"--max-seeds: expected a multiple of the batch ({batch}), got {most_seeds}")
    return StoppingRule(batch, most_seeds // batch)


def run_until_decided(
    spec: Spec,
    out: Path,
    jobs: int,
    listener: Callable[[int], Listener],
    rule: StoppingRule,
    retries: int = 0,
    make_executor: Callable[[Path, int], Executor] = LocalExecutor,
) -> Iterator[Look]:
    """Run batches of seeds until every pair of agents is decided, or equal, or there are no more looks.

    What is decided follows from the runs on disk alone: a call that was stopped goes on as if it had not been.

    Args:
        spec: the experiment; seeds are 0, 1, ... whatever it says of them.
        out: the output folder.
        jobs: runs at once.
        listener: makes who hears how so many runs go.
        rule: batches and looks; it is noted in every run, and cannot be changed later.
        retries: times that a run that fails is tried again.
        make_executor: where runs run: made of the output folder and the jobs.

    Raises:
        InputError: something is wrong; or the runs are there by another rule.
    """
    labels = [agent.label for agent in spec.agents]
    if len(labels) < 2:
        raise InputError("--until-decided: expected two agents or more, got one")
    wanted = set(labels)
    before: list[RunSpec] = []
    for number in range(1, rule.looks + 1):
        seeds = list(range((number - 1) * rule.batch, number * rule.batch))
        agents = [agent.model_copy(update={"seeds": None}) for agent in spec.agents if agent.label in wanted]
        batch = spec.model_copy(update={"seeds": seeds, "agents": agents})
        run_specs, stopping = batch.run_specs(), Stopping(rule, number)
        whole = spec if number == 1 else None
        heard = listener(len(run_specs))
        outcome = run_experiment(run_specs, out, jobs, heard, None, retries, whole, stopping, make_executor)
        before += run_specs
        runs = [StoredRun.load(RunFolder(out / run_spec.folder)).results() for run_spec in before]
        comparison = compare_groups(group_runs(runs), "all")
        look = Look(number, rule, outcome, list(before), comparison)
        yield look
        if look.is_last:
            return
        wanted = {agent for pair in look.comparison.undecided for agent in pair}
