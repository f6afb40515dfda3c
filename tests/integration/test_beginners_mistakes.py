"""What a beginner means: the nearest thing that there is, in one line, with what to type."""

from pathlib import Path

import pytest

from tests.conftest import Command


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("train Maze q_learning", "unknown environment 'Maze' (did you mean 'RLLab/Maze-v0'?)"),
        ("train LunarLander q_learning", "(did you mean 'LunarLander-v3'?)"),
        ("train RLLab/Maze-v0 q_learning --rows 5", "No such option: --rows (did you mean --env rows=...?)"),
        ("play RLLab/Maze-v0 --rows=5", "No such option: --rows (did you mean --env rows=...?)"),
        ("train RLLab/Maze-v0 q_learning --learning-rate 1", "(did you mean --set learning_rate=...?)"),
        ("run book-maze --learning_rate=1", "(did you mean --change learning_rate=...?)"),
        ("run book-maze --set learning_rate=1", "to change a setting of the spec's agents: --change learning_rate=1"),
        ("train RLLab/Maze-v0 q_learning --set learning_rate=0,5", "got '0,5' (with a decimal point: 0.5?)"),
        ("train RLLab/Maze-v0 q_learning --env size=5", "unknown option 'size' (did you mean 'rows' and 'cols'?)"),
        ("train RLLab/Maze-v0", "Missing argument 'AGENT'. (Example: rl-lab train RLLab/Maze-v0 q_learning"),
        ("train grille:Grille q_learning", "No module named 'grille'; run it in the folder where grille.py is"),
        ("train RLLab/Maze-v0 grille:Agent", "No module named 'grille'; run it in the folder where grille.py is"),
        ("run env.toml", "env.toml: unknown key 'env' (did you mean 'envs'?)"),
        ("run comma.toml", "(with a decimal point: 0.5?)"),
        ("trian RLLab/Maze-v0 q_learning", "Did you mean 'train'?"),
        ("train RLLab/Maze-v0 ppo", "unknown agent 'ppo' (did you mean 'sb3_ppo'?)"),
        ("train plain:Grid value_iteration", "Grid has no initial_state_distrib"),
    ],
)
def test_a_mistake_says_what_was_meant(command: str, hint: str, rl_lab: Command, tmp_path: Path) -> None:
    rest = '[[agents]]\nid = "q_learning"\nlearning_rate = 0,5\n'
    (tmp_path / "env.toml").write_text('name = "x"\n[[env]]\nid = "RLLab/Maze-v0"\n[[agents]]\nid = "random"\n')
    (tmp_path / "comma.toml").write_text(f'name = "x"\n[[envs]]\nid = "RLLab/Maze-v0"\n{rest}')
    (tmp_path / "plain.py").write_text(
        "import gymnasium as gym\nfrom gymnasium import spaces\n\n\nclass Grid(gym.Env):\n"
        "    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)\n"
        "    P = {s: {a: [(1.0, 1, -1.0, True)] for a in range(2)} for s in range(2)}\n\n"
        "    def reset(self, *, seed=None, options=None):\n        super().reset(seed=seed)\n        return 0, {}\n\n"
        "    def step(self, action):\n        return 1, -1.0, True, False, {}\n"
    )
    done = rl_lab(*command.split())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert hint in done.stderr
