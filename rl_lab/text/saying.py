"""A line on standard output, whatever is in it."""


def say(line: str) -> None:
    """Print a line; what in it would command the terminal, or begin another line, is shown as an escape."""
    from experiments.errors import shown  # here, so that `rl-lab --help` need not load it

    print(shown(line))
