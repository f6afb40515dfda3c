"""One run on disk: its folder, logs, checkpoint, snapshots and manifest."""
