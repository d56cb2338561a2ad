"""worker, the service of DockerCoins that mines: random bytes from rng, hashed by hasher, counted in redis."""
