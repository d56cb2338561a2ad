"""The comment, for real previews and for unpleasant ones. Expected ones lie beside the recordings, to be read."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import markdown
from pipelines.comment import LIMITS, Subject, marker, render
from pipelines.events import SECRET_MARK
from tests.unit.pipelines.streams import KINDS, PREVIEWS, made, recorded, said, step

CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SUBJECT = Subject("dev", "0123456789abcdef", {"services/webui": ["M webui/static/index.html"]}, plan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_comment_of_a_real_preview_is_the_one_that_was_read_and_approved(kind: str) -> None:
    comment = render(recorded(kind), SUBJECT, LIMITS["github"])
    expected = PREVIEWS / f"{kind}.md"
    if os.environ.get("RECORD_COMMENTS"):
        expected.write_text(comment)
    assert comment == expected.read_text()


def test_a_secret_is_shown_neither_as_a_value_nor_in_a_list() -> None:
    def secret(word: str) -> dict[str, object]:
        return {"data": [{SECRET_MARK: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": word}]}

    run = made(step("update", CONFIG_MAP, "keys", secret("hunter2"), secret("hunter3"), ["data", "data[0]"]))
    comment = render(run, SUBJECT, LIMITS["gitlab"])
    assert "hunter" not in comment
    assert "`a secret` → `a secret`" in comment


def test_a_failed_preview_tells_why_and_promises_nothing() -> None:
    run = made(said("error", "failed to build: ```no such file```", "web"), finished=False)
    comment = render(run, SUBJECT, LIMITS["github"])
    assert "### The preview of `dev` failed" in comment
    assert "````text\nweb: failed to build: ```no such file```\n````" in comment
    assert "Nothing was changed" in comment


def test_what_is_replaced_is_told_with_what_forces_it() -> None:
    run = made(step("replace", "kubernetes:core/v1:PersistentVolumeClaim", "redis", {"a": 1}, {"a": 2}, ["a"], ["a"]))
    comment = render(run, SUBJECT, LIMITS["github"])
    assert "- replaced: PersistentVolumeClaim `redis`, with the data in it" in comment
    assert "since it cannot change `a` in place" in comment


def test_a_lifecycle_policy_with_another_text_does_not_go_away() -> None:
    kind = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    run = made(step("replace", kind, "registry-rng", {"policy": "1"}, {"policy": "2"}, ["policy"], ["policy"]))
    comment = render(run, SUBJECT, LIMITS["github"])
    assert "What goes away" not in comment
    assert "1 replaced" in comment


def test_findings_of_policies_come_with_the_mandatory_ones_first() -> None:
    def finding(level: str, policy: str) -> dict[str, object]:
        return {
            "policyEvent": {
                "policyPackName": "shop",
                "policyName": policy,
                "enforcementLevel": level,
                "message": "a | b",
                "resourceUrn": "urn:x::web",
            }
        }

    comment = render(made(finding("advisory", "one"), finding("mandatory", "two")), SUBJECT, LIMITS["github"])
    rows = [line for line in comment.splitlines() if line.startswith(("| advisory", "| mandatory"))]
    assert rows == [r"| mandatory | `shop: two` | `web` | `a \| b` |", r"| advisory | `shop: one` | `web` | `a \| b` |"]


@pytest.mark.parametrize("limit", [65_536, 5_000, 700])
@pytest.mark.parametrize("number", [3, 400, 3000])
def test_it_fits_and_keeps_its_marker_and_its_parts_closed(number: int, limit: int) -> None:
    events = [step("update", CONFIG_MAP, f"map-{i}", {"a": "b" * 90}, {"a": "c" * 90}, ["a"]) for i in range(number)]
    comment = render(made(*events, said("warning", "slow\n" * 40)), SUBJECT, limit)
    assert len(comment) <= limit
    assert comment.startswith(marker("dev"))
    assert comment.count("<details>") == comment.count("</details>")


def test_the_marker_cannot_be_closed_by_a_name() -> None:
    assert marker("a--><script>") == "<!-- dockercoins preview: a-script -->"
    assert marker("mycompany/dockercoins/dev") == "<!-- dockercoins preview: mycompany/dockercoins/dev -->"


@given(st.text())
def test_no_text_leaves_a_code_span(text: str) -> None:
    span = markdown.code(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inner = span[len(fence) : len(span) - len(fence)]
    assert "\n" not in span
    assert all(len(run) < len(fence) for run in inner.replace(" ", "\n").split("\n") if run and not run.strip("`"))


def test_long_values_are_shown_where_they_differ() -> None:
    before, after = "x" * 300 + "old" + "y" * 300, "x" * 300 + "new" + "y" * 300
    told = markdown.turn(before, after)
    assert "old" in told
    assert "new" in told
    assert len(told) < 250
