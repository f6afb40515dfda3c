"""Networks as ONNX: input `observation` [N, ...], outputs `action` [N, ...] and, of discrete ones, `values` [N, A].

Any ONNX runtime opens the file, without torch and without this project; the card is in its metadata.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agents.base import Agent, Monitor
from agents.policy import Array, Policy, Spaces
from agents.storage import State
from experiments.errors import InputError, in_words
from experiments.policies.card import PolicyCard, parse_card, to_json

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CARD = "rl_lab_policy"
UNBOUNDED = {"Loop", "Scan", "If"}  # operators that hold others
MISSING = "needs the extra serve: pip install 'rl-lab[serve]'"


def with_card(network: bytes, card: PolicyCard) -> bytes:
    """The file of a policy: a network's bytes with the card in them."""
    import onnx

    model = onnx.load_model_from_string(network)
    onnx.helper.set_model_props(model, {CARD: to_json(card)})
    model.doc_string = "A policy of RL Lab; its card is in the metadata"
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def read_network(data: bytes, place: str) -> PolicyCard:
    """The card in a file, whose network is one that always ends and reads no other file.

    Raises:
        InputError: it is damaged, or another network; or onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise InputError(f"{place}: opening a network {MISSING}") from None
    try:
        model: Any = onnx.load_model_from_string(data)
    except Exception as error:  # of protobuf's own kinds
        raise InputError(f"{place}: damaged: expected an ONNX network: {in_words(error)[:200]}") from None
    nodes = [node for of in (model.graph, *model.functions) for node in of.node]
    if found := {node.op_type for node in nodes} & UNBOUNDED:
        raise InputError(f"{place}: expected a network without {', '.join(sorted(UNBOUNDED))}, got {min(found)}")
    constants = [attribute.t for node in nodes for attribute in node.attribute]
    if any(one.data_location == onnx.TensorProto.EXTERNAL for one in (*model.graph.initializer, *constants)):
        raise InputError(f"{place}: expected a network that holds its own numbers, got one that reads other files")
    cards = [one.value for one in model.metadata_props if one.key == CARD]
    if len(cards) != 1:
        raise InputError(f"{place}: expected a policy that rl-lab export wrote, got another network")
    return parse_card(cards[0], place)


def open_session(data: bytes, place: str) -> "InferenceSession":
    """The network in a file that `read_network` has read.

    Raises:
        InputError: it is damaged, or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise InputError(f"{place}: opening a network {MISSING}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of onnxruntime's own kinds
        raise InputError(f"{place}: damaged: expected an ONNX network: {in_words(error)[:200]}") from None


class OnnxPolicy(Policy):
    """The policy of an ONNX network.

    Args:
        session: of it.
        of: its spaces.
    """

    def __init__(self, session: "InferenceSession", of: Spaces) -> None:
        self._session, self._type = session, of.observation_space.dtype
        self._has_values = len(session.get_outputs()) > 1

    def _run(self, observations: Array) -> list[Any]:
        given = np.ascontiguousarray(observations, dtype=self._type)
        found: list[Any] = self._session.run(None, {"observation": given})
        return found

    def act(self, observations: Array, masks: NDArray[np.bool_] | None = None) -> Array:
        """The best legal action for each observation."""
        found = self._run(observations)
        if masks is None:
            return np.asarray(found[0])
        return np.asarray(np.where(masks, found[1], -np.inf).argmax(axis=1))

    def action_values(self, observations: Array) -> NDArray[np.float64] | None:
        """Q-values or probabilities [N, A]; None where actions are not discrete."""
        return np.asarray(self._run(observations)[1], dtype=np.float64) if self._has_values else None

    def decide(self, observations: Array) -> tuple[Array, NDArray[np.float64] | None]:
        """Actions and action values in one pass."""
        found = self._run(observations)
        return np.asarray(found[0]), np.asarray(found[1], dtype=np.float64) if self._has_values else None


class OnnxAgent(Agent):
    """Acts as an exported network says, wherever an agent is asked for; it does not learn."""

    def __init__(self, session: "InferenceSession", of: Spaces) -> None:
        super().__init__(of)
        self._policy = OnnxPolicy(session, of)

    def select_action(self, observation: Any, *, explore: bool, mask: NDArray[np.bool_] | None = None) -> Any:
        """The network's action."""
        return self._policy.action(observation, mask)

    def policy(self, seed: int) -> Policy:
        """The network's."""
        return self._policy

    def action_values(self, observation: Any) -> NDArray[np.float64] | None:
        """What it says of every action [A]."""
        values = self._policy.action_values(np.asarray(observation)[None])
        return None if values is None else values[0]

    def train(self, env: Any, monitor: Monitor) -> None:
        """It cannot.

        Raises:
            ValueError: always.
        """
        raise ValueError("an exported policy acts and does not learn")

    def get_state(self) -> State:
        """There is none that changes."""
        return {}

    def set_state(self, state: State) -> None:
        """There is none."""
