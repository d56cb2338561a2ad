from pathlib import Path
from typing import Any

import pytest

from sandbox import checkpoint

STACK = "urn:pulumi:dev::dockercoins::pulumi:pulumi:Stack::dockercoins-dev"
REPOSITORY = "urn:pulumi:dev::dockercoins::aws:ecr/repository:Repository::registry-rng"
NAMESPACE = "urn:pulumi:dev::dockercoins::kubernetes:core/v1:Namespace::namespace"


def _state(pending: list[dict[str, Any]], *, resources: bool = True) -> checkpoint.Checkpoint:
    made = [
        {"urn": STACK, "type": "pulumi:pulumi:Stack", "outputs": {"namespace": "dockercoins-dev"}},
        {
            "urn": REPOSITORY.replace("rng", "webui"),
            "custom": True,
            "type": "aws:ecr/repository:Repository",
            "id": "dockercoins/webui",
        },
    ]
    return checkpoint.parse(
        {
            "version": 3,
            "checkpoint": {"latest": {"resources": made if resources else made[:1], "pending_operations": pending}},
        }
    )


def test_a_whole_state_needs_nothing() -> None:
    state = _state([])
    assert state.outputs == {"namespace": "dockercoins-dev"}
    webui = {"dockercoins/webui"}
    assert checkpoint.recovery(state, webui, set(), cluster_is_new=False) == checkpoint.Recovery()
    assert checkpoint.recovery(state, webui, webui, cluster_is_new=False) == checkpoint.Recovery()


def test_a_repository_of_this_stack_that_the_state_does_not_know_has_to_go() -> None:
    existing = {"dockercoins/rng", "dockercoins/webui", "of-another-stack/rng"}
    needed = checkpoint.recovery(_state([]), existing, {"dockercoins/rng"}, cluster_is_new=False)
    assert needed == checkpoint.Recovery(orphans=frozenset({"dockercoins/rng"}))


@pytest.mark.parametrize("kind", ["creating", "updating", "deleting", "reading", "importing"])
def test_what_an_interrupted_update_had_begun_is_settled(kind: str) -> None:
    begun = {"type": kind, "resource": {"urn": NAMESPACE, "type": "kubernetes:core/v1:Namespace"}}
    needed = checkpoint.recovery(_state([begun]), {"dockercoins/webui"}, set(), cluster_is_new=False)
    assert needed == checkpoint.Recovery(settle=True)


def test_only_what_a_killed_pulumi_cannot_read_is_taken_away(tmp_path: Path) -> None:
    folder = checkpoint.file(tmp_path, "dockercoins", "dev").parent
    folder.mkdir(parents=True)
    for name in ("dev.json", "dev.json.attrs", "dev.json.bak", "other.json.attrs"):
        (folder / name).write_text("" if name == "other.json.attrs" else "{}")
    for name in ("dev.json.bak.attrs", "dev.json.bak.18eaebb5.tmp"):
        (folder / name).touch()
    broken = checkpoint.half_written(tmp_path, "dockercoins", "dev")
    assert sorted(path.name for path in broken) == ["dev.json.bak.18eaebb5.tmp", "dev.json.bak.attrs"]


@pytest.mark.parametrize(("existing", "cluster_is_new"), [(set[str](), False), ({"dockercoins/webui"}, True)])
def test_what_has_vanished_behind_pulumis_back_is_looked_for(existing: set[str], cluster_is_new: bool) -> None:
    needed = checkpoint.recovery(_state([]), existing, set(), cluster_is_new=cluster_is_new)
    assert needed == checkpoint.Recovery(refresh_first=True)


def test_an_empty_stack_needs_nothing_on_any_cluster() -> None:
    state = _state([], resources=False)
    assert checkpoint.recovery(state, set(), set(), cluster_is_new=True) == checkpoint.Recovery()
    assert checkpoint.parse({"version": 3, "checkpoint": {"latest": None}}) == checkpoint.EMPTY
