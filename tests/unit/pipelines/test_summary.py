import json

from pipelines.comment import Subject
from pipelines.events import SECRET_MARK
from pipelines.summary import departures, document, fingerprint
from tests.unit.pipelines.streams import KINDS, made, recorded, step

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
SUBJECT = Subject("dev", "0123456789abcdef")


def _scaled(to: int, name: str = "worker") -> dict[str, object]:
    return step("update", DEPLOYMENT, name, {"spec": {"replicas": 1}}, {"spec": {"replicas": to}}, ["spec.replicas"])


def test_each_kind_of_change_has_a_fingerprint_of_its_own() -> None:
    assert len({fingerprint(recorded(kind)) for kind in KINDS}) == len(KINDS)


def test_the_order_in_which_the_engine_works_makes_no_difference() -> None:
    one, other = _scaled(2), _scaled(3, "rng")
    assert fingerprint(made(one, other)) == fingerprint(made(other, one))


def test_the_same_preview_departs_in_nothing() -> None:
    for kind in KINDS:
        assert departures(document(recorded(kind), SUBJECT), recorded(kind)) == []


def test_each_way_to_depart_is_told_by_name() -> None:
    reviewed = document(made(_scaled(2), _scaled(2, "rng"), step("create", DEPLOYMENT, "web", None, {"a": 1})), SUBJECT)
    now = made(_scaled(3), step("delete", DEPLOYMENT, "web", {"a": 1}), step("create", DEPLOYMENT, "new", None, {}))
    assert sorted(departures(reviewed, now)) == [
        "Deployment new: create was not previewed",
        "Deployment rng: update was previewed, and there is nothing to do now",
        "Deployment web: create was previewed, and it is delete now",
        "Deployment worker: its update is another one (spec.replicas)",
    ]


def test_what_is_created_is_held_to_its_values() -> None:
    reviewed = document(made(step("create", DEPLOYMENT, "web", None, {"a": 1})), SUBJECT)
    assert departures(reviewed, made(step("create", DEPLOYMENT, "web", None, {"a": 2})))


def test_a_name_that_the_engine_makes_up_may_be_another_one_and_one_that_was_chosen_may_not() -> None:
    def secret(name: str, automatic: str) -> dict[str, object]:
        inputs = {"metadata": {"name": name, "annotations": {"pulumi.com/autonamed": automatic}}}
        return step("create", "kubernetes:core/v1:Secret", "pull", None, inputs)

    def pod(secret_name: str) -> dict[str, object]:
        return step("create", DEPLOYMENT, "web", None, {"imagePullSecrets": [{"name": secret_name}]})

    reviewed = document(made(secret("pull-1", "true"), pod("pull-1")), SUBJECT)
    assert departures(reviewed, made(secret("pull-2", "true"), pod("pull-2"))) == []
    assert departures(reviewed, made(secret("pull-2", "true"), pod("pull-1")))
    assert departures(document(made(secret("pull-1", "")), SUBJECT), made(secret("pull-2", "")))


def test_the_document_is_json_and_holds_no_secret() -> None:
    secret = {"data": {SECRET_MARK: "x", "ciphertext": "hunter2"}}
    run = made(step("create", "kubernetes:core/v1:Secret", "redis", None, secret))
    assert "hunter2" not in json.dumps(document(run, SUBJECT))


def test_the_document_of_a_real_preview_tells_what_the_comment_tells() -> None:
    told = document(recorded("one_service"), SUBJECT)
    assert told["operations"] == {"update": 5}
    assert [image["name"] for image in told["images"]] == ["webui"]
    assert [(item["name"], item["rolls"]) for item in told["deployments"]] == [("webui", "yes")]
