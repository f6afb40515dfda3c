"""Tabular agents: one loop, one set of settings, two speeds. An algorithm is its `update` and nothing else."""
