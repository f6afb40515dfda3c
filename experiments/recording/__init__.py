"""Episodes as data: what the scene is, and what happened in it, to be drawn elsewhere (docs/recordings.md)."""
