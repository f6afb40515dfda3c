"""The benchmarks of `rl-lab speed`."""
