"""Agents: everything that acts and learns, behind the one contract of `agents.base`."""
