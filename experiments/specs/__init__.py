"""What is to be run: specifications, their entries, and the single runs that they mean."""
