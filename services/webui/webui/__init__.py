"""webui, the service of DockerCoins that shows the speed, the coins, and how the other services are."""
