"""Tile coding and quantile bins."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.budget import Budget
from agents.registry import make_agent
from agents.tabular.discretiser import quantile_edges
from agents.tabular.mirror import Mirror, MirroredView
from agents.tabular.policies import sum_of_tiles
from agents.tabular.quick_tiles import QuickTiles
from agents.tabular.tile_coding import EdgeTiles, EvenTiles
from envs.registry import make_env
from tests.helpers import train

UNIT = spaces.Box(0.0, 1.0, (2,), np.float64)


def test_one_tiling_is_a_grid() -> None:
    coder = EvenTiles(UNIT, num_tilings=1, num_tiles=4, size=1000)
    assert not coder.is_hashed
    assert coder.size == 25  # one more a dimension, for displaced tilings
    assert coder(np.array([0.0, 0.0])) == [0]
    assert coder(np.array([0.26, 0.0])) == [5]
    assert coder(np.array([0.0, 0.51])) == [2]
    assert coder(np.array([-3.0, 9.0])) == [4]  # what is outside is at the border


def test_tilings_are_displaced_by_one_and_three_parts_of_a_tile() -> None:
    """Sutton & Barto, Figure 9.11: displacements (0, 0), (1/4, 3/4), (2/4, 6/4 = 2/4), (3/4, 9/4 = 1/4)."""
    coder = EvenTiles(UNIT, num_tilings=4, num_tiles=4, size=1000)
    places = coder(np.array([0.15, 0.15]))  # 0.6 of a tile from the corner
    cells = [divmod(place - tiling * 25, 5) for tiling, place in enumerate(places)]
    assert cells == [(0, 0), (0, 1), (1, 1), (1, 0)]


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 16))
def test_neighbours_share_tiles_and_strangers_none(x: float, y: float, num_tilings: int) -> None:
    coder = EvenTiles(UNIT, num_tilings, num_tiles=8, size=100_000)
    here = coder(np.array([x, y]))
    assert len(set(here)) == num_tilings
    assert all(0 <= place < coder.size for place in here)
    far = coder(np.array([(x + 0.5) % 1.0, (y + 0.5) % 1.0]))
    assert not set(here) & set(far)
    near = coder(np.array([min(x + 1e-9, 1.0), y]))
    assert len(set(here) & set(near)) >= num_tilings - 2


def test_collisions_are_counted() -> None:
    coder = EvenTiles(spaces.Box(0.0, 1.0, (3,), np.float64), num_tilings=2, num_tiles=10, size=64)
    assert coder.is_hashed
    rng = np.random.default_rng(0)
    places: dict[int, set[tuple[int, int]]] = {}
    for _ in range(200):
        observation = rng.random(3)
        for tile, place in zip(coder.tiles(observation), coder(observation), strict=True):
            places.setdefault(place, set()).add((0, tile))
    assert set(places) <= set(range(64))
    assert coder.num_collisions == sum(len(tiles) - 1 for tiles in places.values()) > 100
    before = coder.num_collisions
    coder.places(rng.random(3))
    assert coder.num_collisions == before  # looking counts nothing


def test_collisions_are_reported_and_saved() -> None:
    env = make_env("LunarLander-v3")
    agent: Any = make_agent("linear_q", env, num_weights=256)
    train(agent, "LunarLander-v3", {}, Budget(steps=300))
    size = agent.table_size()
    assert size.kind == "hashed tiles"
    assert size.collisions > 0
    other: Any = make_agent("linear_q", env, num_weights=256)
    other.set_state(agent.get_state())
    assert other.table_size() == size
    other.set_state(make_agent("linear_q", env, num_weights=256).get_state())
    assert other.table_size().collisions == 0
    with pytest.raises(ValueError, match="expected initial_values of 'zero' or a number, and no sparse table"):
        make_agent("linear_q", env, table="sparse")


def test_a_dimension_without_width_has_one_tile() -> None:
    space = spaces.Box(np.array([0.0, 3.0]), np.array([1.0, 3.0]), dtype=np.float64)
    coder = EvenTiles(space, num_tilings=2, num_tiles=4, size=1000)
    assert len(coder(np.array([0.5, 3.0]))) == 2


def test_edges_move_from_tiling_to_tiling_and_are_in_the_middle_of_all() -> None:
    """Two tilings: a quarter of the gap to the left (0 - 1/2 + 1/4) and to the right; an edge alone stays.

    Along dimension 1 tiling 1 is displaced by 3/2 mod 1 = 1/2, as along dimension 0.
    """
    coder = EdgeTiles([[0.0, 1.0, 5.0], [2.0, 4.0], [0.5]], num_tilings=2, size=1000)
    assert coder.edges == [
        [[-0.25, 0.75, 4.0], [1.5, 3.5], [0.5]],
        [[0.25, 2.0, 6.0], [2.5, 4.5], [0.5]],
    ]
    assert (coder.tiles_a_tiling, coder.size, coder.is_hashed) == (24, 48, False)
    assert coder(np.array([0.0, 3.0, 0.5])) == [1 * 6 + 1 * 2 + 1, 24 + 0 * 6 + 1 * 2 + 1]
    assert EdgeTiles([[0.0, 1.0], [0.5]], num_tilings=1, size=99).edges == [[[0.0, 1.0], [0.5]]]


FLOATS = st.floats(-2, 2, width=32) | st.sampled_from([0.0, -0.0, 0.1, 0.5, float("inf"), float("nan")])
EDGES = [[-0.35, -0.1, 0.1, 0.35], [0.5], [-0.2, 0.1]]


@settings(deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS, FLOATS), min_size=1, max_size=20), st.booleans(), st.sampled_from([1, 3, 8]))
def test_tiles_in_machine_code_are_those_of_python(rows: list[Any], mirrors: bool, num_tilings: int) -> None:
    batch = np.array(rows, dtype=np.float32)
    coder = EdgeTiles(EDGES, num_tilings, 10_000)
    assert coder.many(batch).tolist() == [coder.places(row) for row in batch]
    view = MirroredView(Mirror(negated=[0, 2], swapped=[], actions=[1, 0]), 3, 2) if mirrors else None
    quick = QuickTiles(coder, view, "linear_backward_q_lambda")
    weights = np.random.default_rng(0).normal(size=(coder.size, 2))
    q, tiles = np.zeros((coder.size, 2)), np.zeros(num_tilings, dtype=np.int64)
    for row in batch:
        places = coder.places(row if view is None else view.seen(row))
        assert quick(row, weights, q, tiles) == places[0]
        assert tiles.tolist() == places
        assert q[places[0]].tolist() == sum_of_tiles(weights, places).tolist()


def test_hashed_edges_are_counted_too() -> None:
    coder = EdgeTiles(EDGES, num_tilings=8, size=32)
    batch = np.random.default_rng(0).uniform(-1, 1, (200, 3)).astype(np.float32)
    assert coder.many(batch).tolist() == [coder(row) for row in batch]
    assert coder.num_collisions == len(coder.met) - 32 > 50


def test_quantile_bins_hold_equal_shares() -> None:
    rng = np.random.default_rng(0)
    observations = np.stack([rng.normal(size=4000), rng.exponential(size=4000) ** 3], axis=1)
    for column, edges in zip(observations.T, quantile_edges(observations, 3), strict=True):
        counts = np.bincount(np.digitize(column, edges), minlength=4)
        assert counts.tolist() == [1000] * 4


def test_edges_that_coincide_are_one() -> None:
    contacts = np.array([[0.0]] * 90 + [[1.0]] * 10)  # a leg of the lander
    assert quantile_edges(contacts, 4) == [[0.0]]


def test_quantile_bins_are_fitted_the_same_every_time_and_leave_the_environment_alone() -> None:
    env = make_env("LunarLander-v3")
    env.reset(seed=1)
    before = repr(env.unwrapped.np_random.bit_generator.state)
    one, other, third = (make_agent("q_learning", env, seed=seed, bins="quantile") for seed in (0, 0, 1))
    assert repr(env.unwrapped.np_random.bit_generator.state) == before
    assert one.discretiser.edges == other.discretiser.edges != third.discretiser.edges  # type: ignore[attr-defined]
    assert all(len(edges) <= 10 for edges in one.discretiser.edges)  # type: ignore[attr-defined]


def test_what_has_no_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="linear_q needs observed numbers in a row"):
        make_agent("linear_q", make_env("RLLab/Maze-v0"))
