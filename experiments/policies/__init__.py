"""A trained policy without its training, in one file: exported, opened again, and proved equal to what it came from."""
