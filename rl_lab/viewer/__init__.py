"""The viewer: `rl-lab ui`. Runs, curves and any moment of a training in a browser on this machine."""
