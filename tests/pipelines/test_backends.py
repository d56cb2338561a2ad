"""Where the state is kept, what opens its secrets, and who holds it: with the real engine and a real S3 API."""

from __future__ import annotations

import base64
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol, cast

import boto3
import pytest
import urllib3

from pipelines import locks
from tests.integration.deployment import ROOT, create
from tests.manifests import tools
from tests.pipelines.s3 import GATEWAY, S3, Bucket, free_ports, policy, server
from tests.pipelines.steps import Steps
from tests.plugins.aws_support import ACCOUNT, ecr_api
from tests.plugins.engine_support import PASSPHRASE, STACK, Project, wait_until
from tests.registry_server import Reply, serve

SECRET: Final = "hush-a-registry-password"
LOCKS: Final = f".pulumi/locks/organization/plugins/{STACK}"
# Waits in an update, but not in a preview, for a file while `HOLD` names it.
PROGRAM: Final = """
    import os
    import time
    from pathlib import Path

    import pulumi

    hold = os.environ.get("HOLD")
    while hold and not pulumi.runtime.is_dry_run() and not Path(hold).exists():
        time.sleep(0.05)
    pulumi.export("password", pulumi.Config().require_secret("registryPassword"))
    pulumi.export("text", pulumi.Config().get("text"))
"""


@pytest.fixture(scope="module")
def s3() -> Generator[S3]:
    tools.program(GATEWAY)
    with server() as running:
        yield running


@pytest.fixture(scope="module")
def bucket(s3: S3) -> Bucket:
    return s3.bucket("dockercoins-state")


@dataclass(frozen=True)
class Held:
    """A small stack whose steps have been run once, and the files of the last preview."""

    steps: Steps
    kept: Bucket | Path

    def files(self) -> dict[str, bytes]:
        """All that the backend holds."""
        if isinstance(self.kept, Bucket):
            return self.kept.objects()
        return {str(path.relative_to(self.kept)): path.read_bytes() for path in self.kept.rglob("*") if path.is_file()}

    def locks(self) -> dict[str, bytes]:
        # Beside a file, a backend of files keeps one with attributes.
        return {key: text for key, text in self.files().items() if key.startswith(LOCKS) and key.endswith(".json")}

    def lock(self, name: str, content: bytes) -> None:
        """Put a lock there, as somebody else's update would."""
        if isinstance(self.kept, Bucket):
            self.kept.put(f"{LOCKS}/{name}", content)
        else:
            (self.kept / LOCKS).mkdir(parents=True, exist_ok=True)
            (self.kept / LOCKS / name).write_bytes(content)

    def unlock(self, name: str) -> None:
        if isinstance(self.kept, Bucket):
            self.kept.delete(f"{LOCKS}/{name}")
        else:
            (self.kept / LOCKS / name).unlink()

    @contextmanager
    def updating(self, gate: Path) -> Generator[subprocess.Popen[str]]:
        """An update that runs, and holds the lock, until there is a file ``gate``; it is gone afterwards."""
        project = self.steps.project
        held = replace(project, environment={**project.environment, "HOLD": str(gate)})
        try:
            with held.started("up") as update:
                wait_until(lambda: bool(self.locks()) or update.poll() is not None, "the update to take the lock")
                assert update.poll() is None
                yield update
        finally:
            gate.touch()


def _small(folder: Path, kept: Bucket | Path, **variables: str) -> Held:
    project = Project.create(folder, PROGRAM, {}, variables)
    project.set_config("registryPassword", SECRET, secret=True)
    held = Held(Steps(project, folder / "files"), kept)
    held.steps.succeed("preview")
    held.steps.succeed("apply")
    held.steps.succeed("preview")
    return held


@pytest.fixture(scope="module")
def on_s3(s3: S3, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Held:
    return _small(tmp_path_factory.mktemp("s3"), bucket, PULUMI_BACKEND_URL=bucket.url, **s3.owner)


@pytest.fixture(scope="module", params=["file", "s3"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Held:
    """A small stack, in each kind of backend that has lock files."""
    if request.param == "s3":
        return cast("Held", request.getfixturevalue("on_s3"))
    folder = tmp_path_factory.mktemp("file")
    return _small(folder, folder / "backend")


# Secrets


def test_the_real_program_is_previewed_and_applied_with_its_state_in_s3_and_no_secret_in_it_can_be_read(
    s3: S3, tmp_path: Path
) -> None:
    bucket = s3.bucket("real-program")
    deployment = create(tmp_path)
    environment = {**deployment.project.environment, **s3.owner, "PULUMI_BACKEND_URL": bucket.url}
    deployment = replace(deployment, project=replace(deployment.project, environment=environment))
    deployment.project.run("stack", "init", STACK).stdout_or_fail()
    steps = Steps(deployment.project, tmp_path / "files")
    try:
        steps.succeed("preview")
        steps.succeed("apply")
        steps.succeed("verify")
        objects = bucket.objects()
        assert f".pulumi/stacks/dockercoins/{STACK}.json" in objects
        assert deployment.name.encode() in objects[f".pulumi/stacks/dockercoins/{STACK}.json"]
        token = f"{ACCOUNT}-auth-token"
        hidden = [PASSPHRASE, token, _base64(f"AWS:{token}"), _base64(token), "PRIVATE KEY", *s3.owner.values()]
        assert {key: text for key, content in objects.items() for text in hidden if text.encode() in content} == {}
    finally:
        outcome = deployment.project.destroy()
        assert outcome.succeeded, outcome.output


def test_what_the_backend_holds_is_ciphertext_where_it_is_secret(held: Held) -> None:
    files = held.files()
    assert f".pulumi/stacks/plugins/{STACK}.json" in files
    assert held.steps.project.outputs()["password"] == SECRET
    hidden = [SECRET, _base64(SECRET), PASSPHRASE]
    assert {name: text for name, content in files.items() for text in hidden if text.encode() in content} == {}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# Roles


def test_the_role_of_an_apply_keeps_the_state_and_that_of_a_preview_only_reads_it(on_s3: Held, s3: S3) -> None:
    applies = s3.user("applies", policy("aws-state-apply"))
    previews = s3.user("previews", policy("aws-state-preview"))
    steps = on_s3.steps
    steps.project.set_config("text", "another")
    before = on_s3.files()
    steps.succeed("preview", **previews)
    refused = steps.step("apply", **previews)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "error: pulumi up: these credentials may not do that with the state (PutObject): a preview needs "
        "pipelines/roles/aws-state-preview.json, an update aws-state-apply.json. "
    )
    assert len(refused.stderr.splitlines()) == 1
    assert on_s3.files() == before
    steps.succeed("apply", **applies)
    assert steps.project.outputs()["text"] == "another"
    assert on_s3.locks() == {}
    steps.succeed("preview")


# Locks


def test_an_update_is_refused_while_another_runs_and_told_whose_it_is(held: Held, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with held.updating(gate) as update:
        before = held.files()
        refused = held.steps.step("apply")
        kept = held.steps.step("unlock")
        assert held.files() == before
        gate.touch()
        assert update.wait(60) == 0
    me = f"{locks.here().user}@{socket.gethostname()}"
    assert refused.returncode == 1
    head, holder, url = refused.stderr.splitlines()
    assert head == "error: pulumi up: the stack is locked; nothing was changed by this step."
    assert re.fullmatch(rf"- {re.escape(me)} \(process {update.pid}\) since 20\d\d-\S+: .+", holder), holder
    assert f"/{LOCKS}/" in url
    assert kept.returncode == 1
    assert kept.stderr.startswith("error: not unlocked; nothing was changed:\n")
    if locks.here().sees_processes:
        assert holder.endswith(
            f": that is you, here, and process {update.pid} runs: wait for it, or end it by `kill -INT {update.pid}`; "
            "then it clears the lock itself"
        )
    held.steps.succeed("preview")
    held.steps.succeed("apply")


def test_the_lock_of_an_update_that_was_killed_is_explained_and_cleared_by_its_holder_only(
    held: Held, tmp_path: Path
) -> None:
    with held.updating(tmp_path / "gate") as update:
        update.send_signal(signal.SIGKILL)
        update.wait()
    ((own, content),) = held.locks().items()
    refused = held.steps.step("apply")
    assert refused.returncode == 1
    if not locks.here().sees_processes:
        held.unlock(own.rpartition("/")[2])
        pytest.skip("in a container no lock counts as stale, as other processes cannot be seen")
    assert refused.stderr.splitlines()[1].endswith(
        f": that is you, here, and process {update.pid} is gone: the lock is stale. Clear it: "
        f"python -m pipelines unlock --stack {STACK}"
    )

    held.lock("anothers.json", content.replace(f'"{locks.here().user}"'.encode(), b'"ada"'))
    both = held.locks()
    assert len(both) == 2
    kept = held.steps.step("unlock")
    assert kept.returncode == 1
    assert f"its holder clears the lock, as ada on {socket.gethostname()}: python -m pipelines unlock" in kept.stderr
    assert held.locks() == both

    held.unlock("anothers.json")
    assert held.steps.succeed("unlock").startswith("cleared 1 stale locks; preview again")
    assert held.locks() == {}
    assert held.steps.succeed("unlock") == f"{STACK} is not locked\n"
    held.steps.succeed("preview")
    held.steps.succeed("apply")


# What a pipeline may be given that is wrong


def _changed(url: str, old: str, new: str) -> dict[str, str]:
    assert old in url
    return {"PULUMI_BACKEND_URL": url.replace(old, new)}


def _is_refused(held: Held, message: str, tmp_path: Path, **variables: str) -> None:
    """Both steps end with this message, and nothing is changed by them."""
    steps = replace(held.steps, files=tmp_path / "files")
    shutil.copytree(held.steps.files, steps.files)
    settings = steps.project.directory / f"Pulumi.{STACK}.yaml"
    before = held.files(), settings.read_text()
    for name, does in (("apply", "pulumi preview"), ("preview", "the preview")):
        refused = steps.step(name, **variables)
        assert refused.returncode == 1
        assert refused.stderr == f"error: {does}: {message}\n"
    assert (held.files(), settings.read_text()) == before
    assert not (steps.files / "plan.json").exists()


def test_a_wrong_passphrase(held: Held, tmp_path: Path) -> None:
    message = (
        "the passphrase does not fit the stack's secrets: PULUMI_CONFIG_PASSPHRASE has to be the one that the stack "
        "was made with"
    )
    _is_refused(held, message, tmp_path, PULUMI_CONFIG_PASSPHRASE="another")


def test_a_bucket_that_is_not_there(on_s3: Held, bucket: Bucket, tmp_path: Path) -> None:
    message = (
        "the bucket for the state is not there: look whether PULUMI_BACKEND_URL names the right bucket, endpoint and "
        "region. How one is made: pipelines/README.md, State and secrets"
    )
    _is_refused(on_s3, message, tmp_path, **_changed(bucket.url, bucket.name, "nowhere"))


def test_a_bucket_in_another_region(on_s3: Held, bucket: Bucket, tmp_path: Path) -> None:
    message = (
        "the bucket is in another region: set `region=` in PULUMI_BACKEND_URL. The authorization header is malformed; "
        'the region "us-east-1" is wrong; expecting "eu-west-1"'
    )
    _is_refused(on_s3, message, tmp_path, **_changed(bucket.url, "eu-west-1", "us-east-1"))


def test_a_backend_that_does_not_answer(on_s3: Held, bucket: Bucket, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    message = (
        f"the backend with the state cannot be reached (dial tcp 127.0.0.1:{port}: connect: connection refused): look "
        "whether PULUMI_BACKEND_URL is right, and whether that host answers from here"
    )
    there = _changed(bucket.url, bucket.endpoint, f"http://127.0.0.1:{port}")
    _is_refused(on_s3, message, tmp_path, **there)


def test_a_backend_whose_name_is_misspelt(on_s3: Held, bucket: Bucket, tmp_path: Path) -> None:
    wrong = _changed(bucket.url, "endpoint=", "endpont=")
    url = wrong["PULUMI_BACKEND_URL"]
    message = (
        f'there is no backend at {url} (open bucket {url}: unknown query parameter "endpont"): set PULUMI_BACKEND_URL '
        "to where the state is, for example s3://bucket?region=eu-west-1"
    )
    _is_refused(on_s3, message, tmp_path, **wrong)


@pytest.mark.parametrize(
    ("variable", "code"),
    [("AWS_ACCESS_KEY_ID", "InvalidAccessKeyId"), ("AWS_SECRET_ACCESS_KEY", "SignatureDoesNotMatch")],
)
def test_credentials_that_the_backend_does_not_know(on_s3: Held, variable: str, code: str, tmp_path: Path) -> None:
    message = (
        f"the backend does not accept the credentials ({code}): log in again, or set those that belong to "
        "PULUMI_BACKEND_URL in AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )
    _is_refused(on_s3, message, tmp_path, **{variable: "another"})


def test_a_session_that_has_expired(on_s3: Held, bucket: Bucket, tmp_path: Path) -> None:
    # Only Amazon's own service says this. Its answer: "Error responses" in the S3 API reference.
    body = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"
    message = (
        "the credentials have expired (ExpiredToken): log in again, or let the pipeline ask for new ones, and run this "
        "step again"
    )
    with serve(lambda _: Reply(400, body, {"Content-Type": "application/xml"})) as amazon:
        there = _changed(bucket.url, bucket.endpoint, f"http://{amazon.host}")
        _is_refused(on_s3, message, tmp_path, AWS_SESSION_TOKEN="old", **there)


def test_a_token_that_pulumi_cloud_does_not_accept(on_s3: Held, tmp_path: Path) -> None:
    refusal = {"code": 401, "message": "Unauthorized: No credentials provided or are invalid."}
    home = {"PULUMI_HOME": str(tmp_path / "home")}
    message = (
        "Pulumi Cloud does not accept the token: it has expired, or was taken back. Make another one, and set it as "
        "PULUMI_ACCESS_TOKEN"
    )
    with serve(lambda _: Reply(401, refusal)) as cloud:
        token = {"PULUMI_BACKEND_URL": f"http://{cloud.host}", "PULUMI_ACCESS_TOKEN": "pul-old"}
        _is_refused(on_s3, message, tmp_path, **token, **home)


# KMS


class _KMS(Protocol):
    def create_key(self) -> dict[str, dict[str, str]]: ...


class _MakesClients(Protocol):
    def client(self, service_name: str, /, **options: object) -> object: ...


def test_a_key_in_kms_opens_the_secrets_without_a_passphrase_and_without_it_they_stay_closed(tmp_path: Path) -> None:
    with ecr_api() as aws:
        session = boto3.Session("an-access-key", "a-secret-access-key", region_name="us-east-1")
        kms = cast("_KMS", cast("_MakesClients", session).client("kms", endpoint_url=aws))
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        held = _small(tmp_path / "kms", tmp_path / "kms" / "backend", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="s")
        project = held.steps.project
        url = f"awskms://{key}?region=us-east-1&endpoint={aws}"
        project.run("stack", "change-secrets-provider", url).stdout_or_fail()
        environment = {name: value for name, value in project.environment.items() if "PASSPHRASE" not in name}
        project = replace(project, environment=environment)
        held = replace(held, steps=replace(held.steps, project=project))
        held.steps.succeed("preview")
        held.steps.succeed("apply")
        held.steps.succeed("preview")
        assert project.outputs()["password"] == SECRET
        now = held.files()[f".pulumi/stacks/plugins/{STACK}.json"]
        assert b"awskms" in now
        assert SECRET.encode() not in now
        assert urllib3.request("POST", f"{aws}/moto-api/reset").status == 200
        # As Amazon's own, this KMS does not tell a key that is gone from one that is somebody else's.
        message = (
            "the key to the stack's secrets does not open them (AccessDeniedException: UnknownError): "
            "`secretsprovider` in the stack file has to name the KMS key that the stack was made with, enabled and not "
            "deleted, and the role needs kms:Decrypt for it"
        )
        _is_refused(held, message, tmp_path)


# From one backend to another


def test_the_documented_commands_bring_a_stack_from_files_to_s3_with_its_secrets(s3: S3, tmp_path: Path) -> None:
    bucket = s3.bucket("moved")
    held = _small(tmp_path / "moving", tmp_path / "moving" / "backend", **s3.owner)
    text = (ROOT / "pipelines" / "README.md").read_text()
    match = re.search(r"^```sh\n((?:.*\n)*?.*stack import.*\n)```", text, re.MULTILINE)
    assert match
    commands = match[1].splitlines()[-3:]
    url = "s3://dockercoins-state?region=eu-west-1"
    assert sum(url in line for line in commands) == 2
    project = held.steps.project
    for line in commands:
        subprocess.run(
            ["bash", "-c", line.replace(url, bucket.url).replace("dev", STACK)],
            cwd=project.directory,
            env=dict(project.environment),
            check=True,
        )
    moved = replace(project, environment={**project.environment, "PULUMI_BACKEND_URL": bucket.url})
    assert moved.outputs()["password"] == SECRET
    assert "nothing would change" in replace(held.steps, project=moved).succeed("preview")
    assert f".pulumi/stacks/plugins/{STACK}.json" in bucket.objects()
    assert SECRET not in (project.directory / "state.json").read_text()
