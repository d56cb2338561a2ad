"""Tests of DockerCoins."""
