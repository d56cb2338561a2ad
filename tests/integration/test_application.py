"""The program on a real cluster with a real registry, from the first preview to the last change."""

import json
import os
import subprocess
from pathlib import Path

import yaml

from tests.integration.deployment import SERVICES, Deployment, asking, get, reach_speed, until


def test_the_first_preview_shows_real_names_although_nothing_exists(deployment: Deployment) -> None:
    preview = deployment.outcomes["first preview"]
    assert preview.succeeded, preview.output
    steps = [step for step in preview.steps if step.type == "docker:index/image:Image"]
    names = {step.name: step.new["inputs"]["imageName"] for step in steps}
    assert set(names) == set(SERVICES)
    for service, name in names.items():
        assert name.startswith(f"localhost:5001/{deployment.name}/{service}:")


def test_five_deployments_and_four_services_run(deployment: Deployment) -> None:
    deployments = deployment.objects("deployments")
    assert set(deployments) == {"redis", *SERVICES}
    for name, item in deployments.items():
        assert item["status"]["readyReplicas"] == item["spec"]["replicas"], name
    assert set(deployment.objects("services")) == {"redis", "hasher", "rng", "webui"}


def test_every_pod_of_ours_runs_a_digest_that_it_pulled_with_credentials(deployment: Deployment) -> None:
    references = deployment.project.outputs()["images"]
    pods = [pod for name, pod in deployment.objects("pods").items() if not name.startswith("redis-")]
    assert len(pods) == 4
    for pod in pods:
        service = pod["metadata"]["labels"]["app.kubernetes.io/name"]
        (container,) = pod["spec"]["containers"]
        assert container["image"] == references[service]
        assert container["image"].startswith(f"localhost:5001/{deployment.name}/{service}@sha256:")
        digest = container["image"].rpartition("@")[2]
        assert pod["status"]["containerStatuses"][0]["imageID"].endswith(digest)
        assert pod["spec"]["imagePullSecrets"]


def test_the_registry_refuses_those_without_credentials(deployment: Deployment) -> None:
    repository, _, digest = deployment.project.outputs()["images"]["rng"].partition("@")
    host, _, path = repository.partition("/")
    assert get(f"http://{host}/v2/{path}/manifests/{digest}").status == 401


def test_hashes_and_coins_grow(deployment: Deployment) -> None:
    first = deployment.page()
    until(lambda: deployment.page()["hashes"] > first["hashes"] + 20, "20 more hashes")
    until(lambda: deployment.page()["coins"] > first["coins"], "a coin")


def test_the_outputs_say_what_runs_and_where(deployment: Deployment) -> None:
    outputs = deployment.project.outputs()
    assert set(outputs) == {"webui_url", "images", "registry", "namespace", "cluster"}
    assert outputs["namespace"] == deployment.name
    assert outputs["registry"] == "localhost:5001"
    assert outputs["cluster"]["context"] == "kind-dockercoins"


def test_no_secret_stands_in_the_state_or_was_shown(deployment: Deployment) -> None:
    shown = deployment.project.state_text() + "".join(outcome.output for outcome in deployment.outcomes.values())
    with_secrets = json.dumps(deployment.project.export(show_secrets=True))
    (user,) = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())["users"]
    for secret in ("123456789012-auth-token", user["user"]["client-key-data"]):
        assert secret in with_secrets
        assert secret not in shown


def test_a_second_time_nothing_changes(deployment: Deployment) -> None:
    for outcome in (
        deployment.project.preview("--expect-no-changes"),
        deployment.project.refresh("--expect-no-changes"),
        deployment.project.up("--expect-no-changes"),
    ):
        assert outcome.succeeded, outcome.output


def test_a_change_made_by_hand_is_seen_and_set_right(deployment: Deployment) -> None:
    deployment.kubectl("scale", "deployment/worker", "--replicas=2")
    until(lambda: deployment.objects("deployments")["worker"]["status"]["readyReplicas"] == 2, "the second worker")
    drift = deployment.project.preview("--refresh", "--expect-no-changes")
    assert not drift.succeeded
    assert "worker" in drift.output
    restored = deployment.project.up("--refresh")
    assert restored.succeeded, restored.output
    assert deployment.objects("deployments")["worker"]["spec"]["replicas"] == 1
    deployment.settle()


def test_one_changed_line_builds_one_image_and_rolls_one_deployment(deployment: Deployment) -> None:
    dockerfile = deployment.folder / "services" / "hasher" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + '\nLABEL change="one"\n')
    pods = set(deployment.objects("pods"))
    with asking(deployment.url("/json")) as failures:
        outcome = deployment.project.up()
    assert outcome.succeeded, outcome.output
    assert failures == []
    changed = {step.name: step.op for step in outcome.steps if step.op != "same"}
    images = {step.name for step in outcome.steps if step.type == "docker:index/image:Image" and step.op != "same"}
    deployments = {step.name for step in outcome.steps if step.type.endswith(":Deployment") and step.op != "same"}
    assert images == {"hasher"}, changed
    assert deployments == {"hasher"}, changed
    deployment.settle()
    gone = {name.split("-")[0] for name in pods - set(deployment.objects("pods"))}
    assert gone == {"hasher"}


def test_the_speed_is_that_of_the_course(deployment: Deployment) -> None:
    # A busy machine may be slower for a while, but nothing makes it faster.
    assert max(reach_speed(deployment, 2.0, 3.5, seconds=12, limit=90)) <= 3.5
    deployment.project.set_config("workerReplicas", "10")
    scaled = deployment.project.up()
    assert scaled.succeeded, scaled.output
    assert max(reach_speed(deployment, 8.0, 10.5, seconds=15, limit=150)) <= 10.5
    deployment.project.set_config("workerReplicas", "1")
    assert deployment.project.up().succeeded
    deployment.settle()


def test_a_broken_dockerfile_ends_the_update_with_the_line_and_all_goes_on(deployment: Deployment) -> None:
    dockerfile = deployment.folder / "services" / "rng" / "Dockerfile"
    good = dockerfile.read_text()
    before = {name: pod["metadata"]["uid"] for name, pod in deployment.objects("pods").items()}
    dockerfile.write_text(good + "\nRUN echo this-breaks && exit 7\n")
    try:
        outcome = deployment.project.up()
        assert not outcome.succeeded
        assert "exit code: 7" in outcome.output
        assert "this-breaks" in outcome.output
        assert {name: pod["metadata"]["uid"] for name, pod in deployment.objects("pods").items()} == before
        deployment.project.set_config("buildOnPreview", "true")
        preview = deployment.project.preview()
        assert not preview.succeeded
        assert "exit code: 7" in preview.output
    finally:
        dockerfile.write_text(good)
        deployment.project.set_config("buildOnPreview", "false")
    again = deployment.project.up()
    assert again.succeeded, again.output


def test_a_version_that_does_not_start_fails_the_update_with_its_reason_and_the_old_one_serves(
    deployment: Deployment,
) -> None:
    dockerfile = deployment.folder / "services" / "webui" / "Dockerfile"
    good = dockerfile.read_text()
    dockerfile.write_text(good + '\nENTRYPOINT ["python3", "-c", "raise SystemExit(\'no licence to run\')"]\n')
    try:
        with asking(deployment.url("/json")) as failures:
            outcome = deployment.project.up()
        assert not outcome.succeeded
        assert f"Deployment {deployment.name}/webui is not rolled out: pod webui-" in outcome.errors
        # The container's last lines are in the message.
        assert "last with exit code 1\n    no licence to run" in outcome.errors
        assert failures == []
    finally:
        dockerfile.write_text(good)
    again = deployment.project.up()
    assert again.succeeded, again.output
    deployment.settle()


def test_without_a_docker_engine_nothing_is_changed(deployment: Deployment, tmp_path: Path) -> None:
    dockerfile = deployment.folder / "services" / "rng" / "Dockerfile"
    good = dockerfile.read_text()
    dockerfile.write_text(good + '\nLABEL change="no engine"\n')
    nowhere = f"unix://{tmp_path}/docker.sock"
    try:
        ran = subprocess.run(
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "test"],
            cwd=deployment.folder,
            env={**deployment.project.environment, "DOCKER_HOST": nowhere},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        dockerfile.write_text(good)
    assert ran.returncode != 0
    assert nowhere in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
    again = deployment.project.up()
    assert again.succeeded, again.output


def test_mistakes_in_the_settings_are_all_told_by_the_engine_before_anything_happens(deployment: Deployment) -> None:
    deployment.project.set_config("workerReplicas", "-1")
    deployment.project.set_config("profile", "fast")
    try:
        outcome = deployment.project.up()
    finally:
        deployment.project.set_config("workerReplicas", "1")
        deployment.project.set_config("profile", "teaching")
    assert not outcome.succeeded
    assert "2 settings of the stack 'test' cannot be used; nothing was changed." in outcome.output
    assert "dockercoins:workerReplicas" in outcome.output
    assert "teaching or full" in outcome.output
    assert "Traceback" not in outcome.output
    assert not [step for step in outcome.steps if step.op not in ("same", "read")]
