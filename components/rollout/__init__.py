"""Proves that a Deployment is rolled out, by what the cluster's API server says of it and of its pods."""

from components.rollout.rollouts import Rollouts

__all__ = ["Rollouts"]
