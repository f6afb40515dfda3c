"""Figures with matplotlib: one style, one way to save."""
