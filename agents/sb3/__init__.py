"""stable-baselines3's agents behind the contract; the only room that imports it."""
