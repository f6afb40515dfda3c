"""What is counted of a server, for Prometheus: requests, times, and whether what is asked drifts from what was met."""

from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from rl_lab.serving.served import Answer, Served

BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0)  # seconds
MOST_NUMBERS = 64  # of an observation that are counted one by one


class Counters:
    """All of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        made: dict[str, Any] = {"registry": self.registry}
        self.requests = Counter("rl_lab_requests", "Requests, by path and status.", ["path", "status"], **made)
        self.seconds = Histogram("rl_lab_act_seconds", "Time to answer /v1/act.", buckets=BUCKETS, **made)
        self.in_flight = Gauge("rl_lab_in_flight", "Requests to /v1/act that are being answered.", **made)
        of = ["policy", "version"]
        self.observations = Counter("rl_lab_observations", "Observations that a policy was asked about.", of, **made)
        self.actions = Counter(
            "rl_lab_actions", "Actions that a policy chose, where discrete.", [*of, "action"], **made
        )
        told = "Observations with a number outside the range that the policy had met when it was exported."
        self.outside = Counter("rl_lab_observations_outside_seen", told, of, **made)
        told = "How often each number of the observations was outside that range."
        self.numbers = Counter("rl_lab_numbers_outside_seen", told, [*of, "number"], **made)
        told = (
            "Share of each action in the policy's own play when it was exported: what rl_lab_actions is held against."
        )
        self.shares = Gauge("rl_lab_action_share_at_export", told, [*of, "action"], **made)
        self.swaps = Counter(
            "rl_lab_policy_swaps", "New versions of files, taken over or not.", ["policy", "sound"], **made
        )

    def serves(self, served: Served) -> None:
        """A version is served from now on."""
        labels = (served.name, served.version)
        self.observations.labels(*labels)
        self.outside.labels(*labels)
        for action, share in enumerate(served.card.seen.action_shares or []):
            self.shares.labels(*labels, str(action)).set(share)
            self.actions.labels(*labels, str(action))

    def answered(self, served: Served, answer: Answer) -> None:
        """A policy has answered."""
        labels = (served.name, served.version)
        self.observations.labels(*labels).inc(len(answer.actions))
        if served.num_actions is not None:
            for action in answer.actions:
                self.actions.labels(*labels, str(action)).inc()
        if answer.outside is not None and answer.outside.any():
            self.outside.labels(*labels).inc(int(answer.outside.any(axis=1).sum()))
            if answer.outside.shape[1] <= MOST_NUMBERS:
                for number in np.flatnonzero(answer.outside.any(axis=0)):
                    self.numbers.labels(*labels, str(number)).inc(int(answer.outside[:, number].sum()))

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self.registry)
