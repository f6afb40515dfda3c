"""The check command."""

import traceback
from collections.abc import Callable
from typing import Any

import gymnasium as gym

from agents.checking import Check, CheckError, NotApplicableError, check_agent
from agents.registry import find_agent
from envs.registry import make_env
from experiments.errors import located
from experiments.specs.loading import check_agent_entry, check_env_entry
from experiments.specs.spec import AgentEntry, EnvEntry


def check_agent_by_name(name: str, settings: dict[str, Any], env_id: str | None) -> list[dict[str, str]]:
    """Run all checks of an agent: for each its name, its outcome (ok, failed or skipped) and why.

    Raises:
        InputError: the agent, a setting or the environment is wrong, or the agent cannot act there.
    """
    check_agent_entry(AgentEntry(id=name, settings=settings))
    make: Callable[[], gym.Env[Any, Any]] | None = None
    if env_id is not None:
        check_env_entry(EnvEntry(id=env_id))
        make = lambda: make_env(env_id)  # noqa: E731
    agent_class = find_agent(name)
    checks = list(check_agent(agent_class, make, **settings))
    where = env_id or "the two-armed corridor (Discrete(4), two actions; --env names another environment)"
    with located(f"{name} in {where}"):
        checks[0].case.agent()
    results: list[dict[str, str]] = []
    for check in checks:  # the first is the contract: without it, the others would say the same again
        broken = bool(results) and results[0]["outcome"] == "failed"
        why = "the contract is broken"
        results.append({"check": check.name, "outcome": "skipped", "why": why} if broken else _run(check))
    return results


def _run(check: Check) -> dict[str, str]:
    try:
        check()
    except CheckError as error:
        return {"check": check.name, "outcome": "failed", "why": str(error)}
    except NotApplicableError as error:
        return {"check": check.name, "outcome": "skipped", "why": str(error)}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        why = f"{type(error).__name__}: {error} ({where.filename}, line {where.lineno})"
        return {"check": check.name, "outcome": "failed", "why": " ".join(why.split())}
    return {"check": check.name, "outcome": "ok", "why": ""}


def print_checks(name: str, results: list[dict[str, str]]) -> None:
    """One line a check, and a last one."""
    for result in results:
        why = f": {result['why']}" if result["why"] else ""
        print(f"{result['outcome']:<8} {result['check'].replace('_', ' ')}{why}")
    outcomes = [result["outcome"] for result in results]
    print(f"{name}: " + ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in ("ok", "failed", "skipped")))
