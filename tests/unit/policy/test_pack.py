from __future__ import annotations

import re
from pathlib import Path

import pytest
from pulumi_policy import EnforcementLevel

from policy.policies.pack import POLICIES, RULES, STACK_RULES
from policy.policies.rules import Rule, StackRule

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "pipelines" / "README.md").read_text()
ALL = (*RULES, *STACK_RULES)


def test_policies_are_mandatory_but_the_one_about_plain_http() -> None:
    advisory = [policy.name for policy in POLICIES if policy.enforcement_level is EnforcementLevel.ADVISORY]
    assert advisory == ["ingress-over-tls"]
    assert {policy.enforcement_level for policy in POLICIES} == {EnforcementLevel.ADVISORY, EnforcementLevel.MANDATORY}


def test_every_policy_says_in_its_schema_what_may_be_set() -> None:
    schemas = {policy.name: policy.config_schema for policy in POLICIES}
    for rule in ALL:
        schema = schemas[rule.name]
        assert [setting.name for setting in rule.settings] == (list(schema.properties) if schema else [])
        for setting in rule.settings:
            assert schema is not None
            assert schema.properties[setting.name]["description"] == setting.description
    own = schemas["own-images-by-digest"]
    assert own is not None
    assert own.properties["others"]["type"] == "array"


@pytest.mark.parametrize("rule", ALL, ids=[rule.name for rule in ALL])
def test_every_policy_is_in_the_readme_with_its_level_and_its_settings(rule: Rule | StackRule) -> None:
    (row,) = re.findall(rf"^\| `{rule.name}` .*$", README, re.MULTILINE)
    assert f"| {rule.level} |" in row
    assert all(f"`{setting.name}`" in row for setting in rule.settings)
