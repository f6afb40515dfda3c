"""A bounded load on a policy server of this machine, with locust: requests a second, and how long they take.

    rl-lab serve maze.npz --port 8080
    locust -f docs/load_policy.py --headless --users 8 --run-time 30s --host http://127.0.0.1:8080

It asks about observations that it draws from the server's own description, and stops by itself.
"""

import random
from typing import Any

from locust import FastHttpUser, constant, task


def drawn(schema: dict[str, Any]) -> Any:
    """An observation of the schema of `/v1/policy`."""
    if schema["type"] == "integer":
        return random.randint(schema["minimum"], schema["maximum"])
    if schema["type"] == "number":
        low, high = (max(-10.0, min(10.0, schema.get(end, 0.0))) for end in ("minimum", "maximum"))
        return random.uniform(low, high)
    items = schema.get("prefixItems") or [schema["items"]] * schema["minItems"]
    return [drawn(one) for one in items]


class Asking(FastHttpUser):
    """Asks for one action after the other."""

    wait_time = constant(0)

    def on_start(self) -> None:
        """What may be asked?"""
        self.schema = self.client.get("/v1/policy").json()["policies"][0]["observation"]

    @task
    def act(self) -> None:
        """One observation, one action."""
        self.client.post("/v1/act", json={"observation": drawn(self.schema)})
