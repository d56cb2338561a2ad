"""Each job of GitHub Actions and GitLab CI, its commands run as they are written, on two stacks of the sandbox.

The stacks are named as in the files, `dev` and `prod`, with a backend and namespaces of their own. Both hosts deploy to
them, GitLab a later commit. A job's state comes from its checkout, the variables that the README lists, and what other
jobs hand on as artifacts. The approval of `prod` is that the test runs the job. What a job needs from outside is met by
stand-ins:

- what :func:`tests.pipelines.job_runner.fresh_machine` lists, each with its reason: the network's installer, EKS, pip,
  and the stages of the tests;
- the comments of a request are those of a server with the REST API of both hosts, as no test has an account there;
- a role is assumed in the sandbox's own AWS, by a token that nobody signed: GitLab's jobs do so themselves. GitHub's
  have an action for it, which is not run here;
- Docker is that of the sandbox, and not the service `docker:dind` beside a job.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.integration.deployment import ROOT, SANDBOX, Deployment, create, create_beside, get
from tests.pipelines.checkouts import commit, copy_project, edit, git
from tests.pipelines.job_runner import GitHub, GitLab, Machine, Ran, fresh_machine
from tests.plugins.engine_support import PASSPHRASE
from tests.unit.pipelines.comment_server import TOKEN, Comments, serving

CLUSTER = SANDBOX.context
PREVIEW_ROLE = "arn:aws:iam::123456789012:role/preview"
APPLY_ROLE = "arn:aws:iam::123456789012:role/apply"
PAGE = "services/webui/webui/static/index.html"
PULL_REQUEST = {
    "GITHUB_EVENT_NAME": "pull_request",
    "GITHUB_BASE_REF": "main",
    "GITHUB_REF": "refs/pull/7/merge",
    "GITHUB_REPOSITORY": "coins/dockercoins",
}


@dataclass(frozen=True)
class Place:
    """The repository that jobs check out, both hosts, and the stacks that jobs work on."""

    origin: Path
    machine: Machine
    comments: Comments
    github: GitHub
    gitlab: GitLab
    dev: Deployment
    prod: Deployment

    def commit(self, branch: str, file: str, old: str, new: str) -> str:
        """Commit an edit on a branch, which begins at `main` if it is new; gives the commit before."""
        exists = git(self.origin, "branch", "--list", branch)
        git(self.origin, "switch", "--quiet", *([branch] if exists else ["--create", branch, "main"]))
        before = git(self.origin, "rev-parse", "HEAD")
        edit(self.origin / file, old, new)
        commit(self.origin, "A change")
        git(self.origin, "switch", "--quiet", "main")
        return before


def unsigned_token() -> str:
    """A token as a host would sign it for a job."""
    head, body = ({"alg": "none"}, {"iss": "https://gitlab.example", "sub": "project_path:coins/dockercoins"})
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (head, body)]
    return ".".join([*parts, ""])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    dev = create(tmp_path_factory.mktemp("stacks"), "dev", buildOnPreview="true")
    prod = create_beside(dev, "prod")
    folder = tmp_path_factory.mktemp("jobs")
    origin = folder / "origin"
    copy_project(origin)
    for name in ("Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        shutil.copy2(dev.folder / name, origin / name)
    git(origin, "init", "--quiet", "--initial-branch", "main")
    commit(origin, "The first version")
    machine = fresh_machine(folder / "machine", SANDBOX.registry_password)
    for name in ("github", "gitlab"):
        (folder / name).mkdir()
    backend = dev.project.environment["PULUMI_BACKEND_URL"]
    with serving() as comments:
        github = GitHub(
            origin,
            machine,
            folder / "github",
            contexts={
                "vars.PULUMI_BACKEND_URL": backend,
                "vars.AWS_PREVIEW_ROLE": PREVIEW_ROLE,
                "vars.AWS_APPLY_ROLE": APPLY_ROLE,
                "vars.AWS_REGION": SANDBOX.region,
                "vars.CLUSTER": CLUSTER,
                "secrets.PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
                "secrets.VERIFY_CREDENTIALS": "",
                "github.token": TOKEN,
            },
            credentials={name: os.environ[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
        )
        gitlab = GitLab(
            origin,
            machine,
            folder / "gitlab",
            variables={
                "PULUMI_BACKEND_URL": backend,
                "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
                "AWS_PREVIEW_ROLE": PREVIEW_ROLE,
                "AWS_APPLY_ROLE": APPLY_ROLE,
                "AWS_REGION": SANDBOX.region,
                "AWS_ENDPOINT_URL_STS": f"http://localhost:{SANDBOX.ecr_port}",
                "CLUSTER": CLUSTER,
                "GITLAB_TOKEN": TOKEN,
                "CI_API_V4_URL": comments.address,
            },
            token=unsigned_token,
            services={name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ},
        )
        try:
            yield Place(origin, machine, comments, github, gitlab, dev, prod)
        finally:
            for deployment in (prod, dev):
                outcome = deployment.project.destroy()
                assert outcome.succeeded, outcome.output


def succeeded(ran: Ran, role: str = "") -> Ran:
    assert ran.succeeded, ran.output
    assert ran.role == role
    return ran


def images(deployment: Deployment) -> dict[str, str]:
    return dict(deployment.project.outputs()["images"])


def test_github_deploys_dev_and_the_same_digests_to_prod_as_previewed(place: Place) -> None:
    dev = succeeded(place.github.run("deploy", "dev", "main"), APPLY_ROLE)
    assert "dev works" in dev.output
    assert "make test STAGES=lint unit" in place.machine.calls
    preview = succeeded(place.github.run("deploy", "preview-prod", "main"), PREVIEW_ROLE)
    assert "### This changes `prod`" in preview.summary
    assert not place.prod.project.outputs()
    succeeded(place.github.run("deploy", "prod", "main"), APPLY_ROLE)
    assert images(place.prod) == images(place.dev)
    assert place.prod.url("/") != place.dev.url("/")
    assert place.prod.page()["hashes"] > 0


def test_github_finds_no_drift_in_what_it_deployed_and_tells_by_name_what_was_changed_by_hand(place: Place) -> None:
    for stack in ("dev", "prod"):
        drift = succeeded(place.github.run("drift", "drift", "main", stack=stack), PREVIEW_ROLE)
        assert f"### `{stack}` is as it was left" in drift.summary
    place.dev.kubectl("scale", "deployment/rng", "--replicas=2")
    drift = place.github.run("drift", "drift", "main", stack="dev")
    place.dev.kubectl("scale", "deployment/rng", "--replicas=1")
    assert not drift.succeeded
    assert "- Deployment `rng`" in drift.summary


def test_github_previews_a_pull_request_in_one_comment_one_that_fails_too(place: Place) -> None:
    variables = {**PULL_REQUEST, "GITHUB_API_URL": place.comments.address}
    place.commit("a-page", PAGE, "</body>", "<!-- reviewed --></body>")
    succeeded(place.github.run("pull-request", "check", "a-page", variables))
    succeeded(place.github.run("pull-request", "preview", "a-page", variables), PREVIEW_ROLE)
    (comment,) = place.comments.bodies.values()
    assert "### This changes `dev`" in comment
    assert "**New pods for `webui`.**" in comment
    assert "`M webui/static/index.html`" in comment
    place.commit("a-page", "services/rng/Dockerfile", "\nENTRYPOINT", "\nRUN false\nENTRYPOINT")
    assert not place.github.run("pull-request", "preview", "a-page", variables).succeeded
    (comment,) = place.comments.bodies.values()
    assert "### The preview of `dev` failed" in comment


def test_gitlab_previews_a_merge_request_in_one_comment_one_that_fails_too(place: Place) -> None:
    place.comments.bodies.clear()
    base = place.commit("another-page", PAGE, "</body>", "<!-- reviewed --></body>")
    variables = {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": base,
    }
    succeeded(place.gitlab.run("check", "another-page", variables))
    succeeded(place.gitlab.run("preview", "another-page", variables), PREVIEW_ROLE)
    (comment,) = place.comments.bodies.values()
    assert "**New pods for `webui`.**" in comment
    assert "`M webui/static/index.html`" in comment
    place.commit("another-page", "services/rng/Dockerfile", "\nENTRYPOINT", "\nRUN false\nENTRYPOINT")
    assert not place.gitlab.run("preview", "another-page", variables).succeeded
    (comment,) = place.comments.bodies.values()
    assert "### The preview of `dev` failed" in comment


def test_gitlab_deploys_a_changed_service_to_dev_and_its_digest_to_prod_and_finds_no_drift(place: Place) -> None:
    before = images(place.prod)
    place.commit("main", PAGE, "</body>", "<!-- by GitLab --></body>")
    variables = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"}
    succeeded(place.gitlab.run("dev", "main", variables), APPLY_ROLE)
    preview = succeeded(place.gitlab.run("preview-prod", "main", variables), PREVIEW_ROLE)
    assert "### This changes `prod`" in preview.output
    assert images(place.prod) == before
    succeeded(place.gitlab.run("prod", "main", variables), APPLY_ROLE)
    after = images(place.prod)
    assert after == images(place.dev)
    assert [service for service in before if before[service] != after[service]] == ["webui"]
    assert b"<!-- by GitLab -->" in get(place.prod.url("/index.html")).data
    for stack in ("dev", "prod"):
        drift = succeeded(
            place.gitlab.run("drift", "main", {"CI_PIPELINE_SOURCE": "schedule", "STACK": stack}), PREVIEW_ROLE
        )
        assert f"### `{stack}` is as it was left" in drift.output


def test_no_job_is_left_out_and_what_a_fresh_machine_lacks_was_installed(place: Place) -> None:
    declared = {
        f"{file.stem}/{name}"
        for file in (ROOT / ".github" / "workflows").glob("*.yml")
        for name in yaml.safe_load(file.read_text())["jobs"]
    }
    assert place.github.ran == declared
    assert place.gitlab.ran == set(GitLab.jobs())
    calls = set(place.machine.calls)
    assert "get.pulumi.com --version 3.259.0" in calls
    assert f"aws eks update-kubeconfig --name {CLUSTER} --alias {CLUSTER}" in calls
    assert "python3 -m pip install --quiet awscli==1.46.2" in calls
