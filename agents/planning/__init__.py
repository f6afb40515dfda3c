"""Planning on exact models: solving them, the agents that do, and the oracle that everything is measured against."""
