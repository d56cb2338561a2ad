"""hasher, the service of DockerCoins that gives the SHA-256 of what it is sent."""
