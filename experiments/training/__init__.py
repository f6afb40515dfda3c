"""Makes a run: trains, resumes, logs, evaluates, verifies."""
