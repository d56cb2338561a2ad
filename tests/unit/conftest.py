"""What all unit tests need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import settings

from components.kubeconfig import ClusterAccess
from components.rollout.waiting import RolloutError

# How long an example takes says something of the machine alone.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@dataclass
class RolloutsOfTest:
    """The rollouts that were looked at, each with its time limit, and those that fail, with their reason."""

    seen: dict[str, float] = field(default_factory=dict[str, float])
    failing: dict[str, str] = field(default_factory=dict[str, str])


@pytest.fixture(autouse=True)
def rollouts(monkeypatch: pytest.MonkeyPatch) -> RolloutsOfTest:
    """A cluster on which every rollout is finished but those that a test lets fail."""
    found = RolloutsOfTest()

    def wait(
        cluster: ClusterAccess, namespace: str, name: str, *, seconds: float, progress: Callable[[str], None]
    ) -> None:
        del cluster, namespace
        found.seen[name] = seconds
        progress("waiting")
        if name in found.failing:
            raise RolloutError(found.failing[name])

    def connect(access: ClusterAccess) -> ClusterAccess:
        return access

    monkeypatch.setattr("components.rollout.rollouts.Cluster", connect)
    monkeypatch.setattr("components.rollout.rollouts.wait", wait)
    return found
