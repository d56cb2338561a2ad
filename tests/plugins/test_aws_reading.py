"""What the aws plugin reads: configuration, policies and tags."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sandbox.plugins.aws import config, policies, tags
from sandbox.plugins.protocol.values import UNKNOWN, Plain, Properties, Secret


def test_the_configuration_arrives_as_text_and_json() -> None:
    read = config.read(
        {
            "region": "eu-central-1",
            "accessKey": Secret("key"),
            "secretKey": Secret("hush"),
            "endpoints": json.dumps(
                [{"ecr": "http://localhost:5002", "sts": "http://localhost:5002", "s3": "http://x"}]
            ),
            "allowedAccountIds": '["123456789012"]',
            "defaultTags": '{"tags": {"team": "coins"}}',
            "skipMetadataApiCheck": "true",
            "skipCredentialsValidation": "false",
            "maxRetries": "3",
            "assumeRoles": '[{"roleArn": "arn:aws:iam::123456789012:role/r", "duration": "1h30m", "externalId": "e"}]',
        }
    )
    assert read.region == "eu-central-1"
    assert read.endpoints == {"ecr": "http://localhost:5002", "sts": "http://localhost:5002"}
    assert read.allowed_accounts == ("123456789012",)
    assert read.default_tags == {"team": "coins"}
    assert (read.skip_metadata, read.skip_credentials_validation) == (True, False)
    assert read.max_retries == 3
    assert read.roles == (config.Role("arn:aws:iam::123456789012:role/r", external_id="e", duration=5400),)
    assert "hush" not in repr(read)


BAD: dict[str, tuple[Properties, str, str]] = {
    "not served": ({"ignoreTags": "{}"}, "ignoreTags", "not served by this stand-in"),
    "no region": ({"region": "Frankfurt"}, "region", "received 'Frankfurt'"),
    "half a key": ({"accessKey": "k"}, "accessKey", "must be set together"),
    "an account": ({"allowedAccountIds": '["12"]'}, "allowedAccountIds", "12 digits, received '12'"),
    "no JSON": ({"endpoints": "[{"}, "endpoints", "expected JSON"),
    "no URL": ({"endpoints": '[{"ecr": "localhost:5002"}]'}, "endpoints", "ecr: expected a URL"),
    "no flag": ({"insecure": "yes"}, "insecure", "expected true or false, received 'yes'"),
    "no number": ({"maxRetries": "many"}, "maxRetries", "received 'many'"),
    "no tags": ({"defaultTags": '{"tags": ["a"]}'}, "defaultTags", "expected an object with tags"),
    "no role": ({"assumeRoles": '[{"sessionName": "s"}]'}, "assumeRoles", "needs its roleArn"),
    "role's tags": ({"assumeRoles": '[{"roleArn": "a", "tags": {"a": "b"}}]'}, "assumeRoles", "tags is not served"),
}


@pytest.mark.parametrize(("inputs", "key", "reason"), BAD.values(), ids=list(BAD))
def test_a_bad_configuration_is_told_by_key(inputs: Properties, key: str, reason: str) -> None:
    (failure,) = config.failures(inputs)
    assert failure.property == key
    assert reason in failure.reason


def test_an_unknown_configuration_passes_the_check() -> None:
    assert config.failures({"region": UNKNOWN, "endpoints": UNKNOWN, "maxRetries": UNKNOWN, "insecure": UNKNOWN}) == []


SAME_PERMISSIONS: dict[str, tuple[Plain, Plain]] = {
    "one or a list of one": ({"Action": "ecr:*"}, {"Action": ["ecr:*"]}),
    "order of actions": ({"Action": ["a", "b"]}, {"Action": ["b", "a"]}),
    "order of statements": ({"Statement": [{"Sid": "1"}, {"Sid": "2"}]}, {"Statement": [{"Sid": "2"}, {"Sid": "1"}]}),
}


@pytest.mark.parametrize(("first", "second"), SAME_PERMISSIONS.values(), ids=list(SAME_PERMISSIONS))
def test_permissions_that_mean_the_same_are_equivalent(first: Plain, second: Plain) -> None:
    assert policies.equivalent(json.dumps(first), json.dumps(second, indent=1), policies.normalize_permissions)


def test_other_permissions_are_not_equivalent() -> None:
    assert not policies.equivalent('{"Action": "a"}', '{"Action": "b"}', policies.normalize_permissions)
    assert not policies.equivalent("no json", "{}", policies.normalize_permissions)
    assert policies.equivalent("no json", "no json", policies.normalize_permissions)


def test_lifecycle_rules_count_by_priority_and_their_tags_as_sets() -> None:
    one: Plain = {"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPatternList": ["a*", "b*"]}}
    two: Plain = {"rulePriority": 2, "selection": {"tagStatus": "any"}}
    turned: Plain = {"rulePriority": 1, "selection": {"tagPatternList": ["b*", "a*"], "tagStatus": "tagged"}}
    assert policies.equivalent(
        json.dumps({"rules": [one, two]}), json.dumps({"rules": [two, turned]}), policies.normalize_lifecycle
    )
    other: Plain = {"rulePriority": 3, "selection": {"tagStatus": "any"}}
    assert not policies.equivalent(
        json.dumps({"rules": [one, two]}), json.dumps({"rules": [one, other]}), policies.normalize_lifecycle
    )


def test_a_policy_that_is_no_json_is_told_with_the_place() -> None:
    with pytest.raises(
        ValueError, match="not JSON: Expecting property name enclosed in double quotes at line 2, column 3"
    ):
        policies.parse("{\n  ")


def test_tags() -> None:
    assert tags.merged({"a": "1", "b": "1"}, {"b": "2"}) == {"a": "1", "b": "2"}
    assert tags.merged({}, None) is None
    assert tags.merged({"a": "1"}, UNKNOWN) is UNKNOWN
    assert tags.change({"a": "1", "b": "1"}, {"b": "2", "c": "3"}) == tags.TagChange({"b": "2", "c": "3"}, ("a",))
    assert tags.from_pairs([("a", "1"), ("aws:cloudformation:stack", "x")]) == {"a": "1"}


def test_the_plugin_listens_before_it_loads_the_sdk() -> None:
    code = "import sys, sandbox.plugins.aws.provider; sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
