"""How an agent is judged: the greedy episode, the shared episodes, and the scale of the scores."""
