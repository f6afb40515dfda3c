"""Mazes: grids of cells with walls between neighbours."""
