"""Policies behind HTTP: what is asked is checked, what is answered is counted."""
