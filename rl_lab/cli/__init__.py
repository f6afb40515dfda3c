"""The command line. Nothing heavy is imported before a command needs it."""


def main() -> int:
    """Run the command line; its exit code. Ctrl-C while its modules are imported ends it as later."""
    from rl_lab import on_interrupt

    try:
        from rl_lab.cli import experiments, pictures, policies, results, running, tuning, viewer  # noqa: F401  they register their commands
        from rl_lab.cli.app import run_app

        on_interrupt.restore()
        return run_app()
    except KeyboardInterrupt:
        return on_interrupt.leave()
