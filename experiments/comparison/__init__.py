"""Statistics: intervals, tests, summaries and verdicts."""
