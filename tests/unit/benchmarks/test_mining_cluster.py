from typing import Any

from benchmarks.mining_cluster import ready


def _pod(service: str, ready: str | None, **metadata: str) -> dict[str, Any]:
    conditions = [{"type": "Initialized", "status": "True"}]
    conditions += [{"type": "Ready", "status": ready}] if ready else []
    return {
        "metadata": {"labels": {"app.kubernetes.io/name": service}, **metadata},
        "status": {"conditions": conditions} if ready else {},
    }


def test_only_pods_of_the_service_that_are_ready_and_stay_count_as_ready() -> None:
    pods = [
        _pod("rng", "True"),
        _pod("rng", "False"),
        _pod("rng", None),
        _pod("rng", "True", deletionTimestamp="2026-11-24T20:00:00Z"),
        _pod("hasher", "True"),
    ]
    assert ready(pods, "rng") == [True, False, False, False]
    assert ready(pods, "worker") == []
