"""Searching settings: candidates from Optuna, each trained with several seeds on episodes that no comparison sees."""
