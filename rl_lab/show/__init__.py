"""What a person looks at or plays: watch, draw, play."""
