"""What Pulumi says, as it says it, and the message that is made of it."""

import pytest

from pipelines.problems import explain
from tests.unit.pipelines.streams import made, said

LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete \
the lock file with `pulumi cancel`.
  file:///state/.pulumi/locks/organization/shop/dev/1.json: created by ada@workstation (pid 4711) at 2026-01-02
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
        (LOCKED, "Only if it does not, its holder clears the lock by `pulumi cancel`"),
        (LOCKED, "created by ada@workstation (pid 4711)"),
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
