"""Experiments: specs, runs, evaluation, statistics, curves and videos."""
