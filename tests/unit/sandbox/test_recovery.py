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


def _creating(urn: str, kind: str, **inputs: Any) -> dict[str, Any]:
    return {"type": "creating", "resource": {"urn": urn, "type": kind, "custom": True, "inputs": inputs}}


def test_a_whole_state_needs_nothing() -> None:
    state = _state([])
    assert state.outputs == {"namespace": "dockercoins-dev"}
    assert checkpoint.recovery(state, {"dockercoins/webui"}, cluster_is_new=False) == checkpoint.Recovery()


def test_a_repository_that_was_being_created_and_exists_has_to_go() -> None:
    state = _state([_creating(REPOSITORY, "aws:ecr/repository:Repository", name="dockercoins/rng")])
    needed = checkpoint.recovery(state, {"dockercoins/rng", "dockercoins/webui"}, cluster_is_new=False)
    assert needed == checkpoint.Recovery(settle=True, orphans=frozenset({"dockercoins/rng"}))


def test_what_was_being_created_and_does_not_exist_is_forgotten() -> None:
    state = _state(
        [
            _creating(REPOSITORY, "aws:ecr/repository:Repository", name="dockercoins/rng"),
            _creating(NAMESPACE, "kubernetes:core/v1:Namespace", metadata={"name": "dockercoins-dev"}),
        ]
    )
    needed = checkpoint.recovery(state, {"dockercoins/webui"}, cluster_is_new=False)
    assert needed == checkpoint.Recovery(settle=True)


def test_a_repository_that_the_state_knows_is_kept_whatever_is_pending() -> None:
    again = _creating(REPOSITORY.replace("rng", "webui"), "aws:ecr/repository:Repository", name="dockercoins/webui")
    needed = checkpoint.recovery(_state([again]), {"dockercoins/webui"}, cluster_is_new=False)
    assert needed.orphans == frozenset()


def test_an_update_that_was_interrupted_while_it_changed_something_is_settled_too() -> None:
    update = {"type": "updating", "resource": {"urn": NAMESPACE, "type": "kubernetes:core/v1:Namespace"}}
    needed = checkpoint.recovery(_state([update]), {"dockercoins/webui"}, cluster_is_new=False)
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
    needed = checkpoint.recovery(_state([]), existing, cluster_is_new=cluster_is_new)
    assert needed == checkpoint.Recovery(refresh_first=True)


def test_an_empty_stack_needs_nothing_on_any_cluster() -> None:
    state = _state([], resources=False)
    assert checkpoint.recovery(state, set(), cluster_is_new=True) == checkpoint.Recovery()
    assert checkpoint.parse({"version": 3, "checkpoint": {"latest": None}}) == checkpoint.EMPTY
