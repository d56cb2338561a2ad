"""rng, the service of DockerCoins that gives random bytes."""
