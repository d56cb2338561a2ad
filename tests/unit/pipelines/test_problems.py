"""What Pulumi says, as it says it, and the message that is made of it."""

import pytest

from pipelines.problems import explain
from tests.unit.pipelines.streams import made, said

LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete \
the lock file with `pulumi cancel`.
  file:///s/.pulumi/locks/organization/shop/dev/1.json: created by ada@workstation (pid 4711) at 2026-01-02T03:04:05Z
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "error: getting stack configuration: get stack secrets manager: passphrase must be set with "
            "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
            "there is no passphrase",
        ),
        ("error: get stack secrets manager: incorrect passphrase", "the passphrase does not fit"),
        (LOCKED, "Only if it does not, its holder clears the lock, as ada on workstation: python -m pipelines unlock"),
        (LOCKED, "- ada@workstation (process 4711) since 2026-01-02T03:04:05+00:00: "),
        ("error: no stack named 'prod' found", "`pulumi stack init prod`"),
    ],
)
def test_what_keeps_the_engine_from_starting_is_told_with_what_to_do(text: str, told: str) -> None:
    assert told in explain("the preview", None, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ExpiredTokenException: The security token included in the request is expired", "credentials have expired"),
        ("resource urn:x violates plan: properties changed: ~~spec", "the plan is out of date"),
        (
            "registry r has no image sha256:ab in the repository shop/web: 404\nNothing that runs was changed.",
            "a digest is gone: registry r has no image sha256:ab in the repository shop/web: 404\n",
        ),
    ],
)
def test_what_the_engine_reports_is_told_with_what_to_do(text: str, told: str) -> None:
    assert told in explain("the update", made(said("error", text, "web"), finished=False), "error: update failed")


_S3 = 'error: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): operation error S3: GetObject, '
_KMS = "error: get stack secrets manager: secrets (code=Unknown): operation error KMS: Decrypt, https response error "


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            f"{_S3}https response error StatusCode: 301, RequestID: 1, api error PermanentRedirect: use another",
            "region",
        ),
        (
            f"{_S3}exceeded maximum number of attempts, 3, x509: certificate signed by unknown authority",
            "be reached (x509",
        ),
        (
            f"{_S3}https response error StatusCode: 400, api error ExpiredToken: The provided token has expired.",
            "expired",
        ),
        (
            f"{_KMS}StatusCode: 400, DisabledException: arn:aws:kms:1:key is disabled.",
            "not open them (DisabledException:",
        ),
        (f"{_KMS}StatusCode: 400, KMSInvalidStateException: x is pending deletion.", "enabled and not deleted"),
        (f"{_KMS}StatusCode: 400, api error AccessDeniedException: no", "the role needs kms:Decrypt"),
        ("error: Unauthorized: No credentials provided or are invalid.", "set it as PULUMI_ACCESS_TOKEN"),
        (
            'error: performing HTTP request: Get "https://c/api/user": dial tcp 1.2.3.4:443: i/o timeout',
            "be reached (dial",
        ),
    ],
)
def test_what_keeps_the_state_or_its_key_away_is_told_with_what_to_do(text: str, told: str) -> None:
    assert told in explain("the preview", None, text)


def test_a_request_of_the_program_that_fails_is_not_taken_for_the_backend() -> None:
    run = made(said("error", 'Get "https://cluster:6443": dial tcp 10.0.0.1:6443: connection refused', "web"))
    assert "backend" not in explain("the update", run, "error: update failed")


def test_a_mandatory_policy_is_told_before_anything_else_and_an_advisory_one_is_not() -> None:
    def finding(level: str, text: str) -> dict[str, object]:
        event = {"policyPackName": "shop", "policyName": "p", "enforcementLevel": level, "message": text}
        return {"policyEvent": {**event, "resourceUrn": "urn:x::web"}}

    run = made(finding("advisory", "no probe"), finding("mandatory", "no limits"), said("error", "boom"))
    message = explain("the preview", run, "")
    assert message.endswith("- web: no limits (shop: p)")
    assert "no probe" not in message


def test_what_is_not_known_is_told_as_it_is_and_not_at_any_length() -> None:
    message = explain("the update", made(said("error", "x" * 9000)), "")
    assert message.startswith("the update failed: xxx")
    assert len(message) < 1700
    assert "no reason" in explain("the update", None, "")


def test_what_an_update_that_failed_did_not_come_to_is_no_reason_beside_the_one() -> None:
    left = "error: expected resource operations for urn:x but none were seen\n"
    run = made(said("error", "the pods crash"), said("error", left), finished=False)
    assert explain("the update", run, left * 2) == "the update failed: the pods crash"
    assert "urn:x" in explain("the update", None, left)
