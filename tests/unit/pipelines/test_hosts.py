from collections.abc import Callable, Generator
from dataclasses import replace

import pytest
import urllib3

from pipelines.comment import marker
from pipelines.errors import StepError
from pipelines.hosts import Host, host
from tests.unit.pipelines.comment_server import TOKEN, Comments, serving

MARK = marker("dev")


@pytest.fixture
def comments() -> Generator[Comments]:
    with serving() as served:
        yield served


def _github(comments: Comments, **changes: str) -> Host:
    environment = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPOSITORY": "mycompany/dockercoins",
        "GITHUB_REF": "refs/pull/7/merge",
        "GITHUB_API_URL": comments.address,
    }
    return host({**environment, **changes}, None)


def _gitlab(comments: Comments, **changes: str) -> Host:
    environment = {
        "GITLAB_CI": "true",
        "GITLAB_TOKEN": TOKEN,
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_API_V4_URL": f"{comments.address}/api/v4",
    }
    return host({**environment, **changes}, None)


@pytest.mark.parametrize(
    ("make", "posted", "updated"),
    [
        (
            _github,
            "POST /repos/mycompany/dockercoins/issues/7/comments",
            "PATCH /repos/mycompany/dockercoins/issues/comments/151",
        ),
        (
            _gitlab,
            "POST /api/v4/projects/42/merge_requests/7/notes",
            "PUT /api/v4/projects/42/merge_requests/7/notes/151",
        ),
    ],
)
def test_a_second_comment_takes_the_place_of_the_first_among_many(
    comments: Comments, make: Callable[[Comments], Host], posted: str, updated: str
) -> None:
    comments.bodies.update(dict.fromkeys(range(1, 151), f"something else; {MARK}"))
    assert make(comments).put(MARK, f"{MARK}\nfirst") == "posted"
    assert comments.requests[-1] == posted
    assert make(comments).put(MARK, f"{MARK}\nsecond") == "updated"
    assert comments.requests[-1] == updated
    assert comments.bodies[151] == f"{MARK}\nsecond"
    assert len(comments.bodies) == 151


def test_a_comment_that_says_the_same_is_left_alone(comments: Comments) -> None:
    comments.bodies[3] = f"{MARK}\r\nfirst"
    assert _github(comments).put(MARK, f"{MARK}\nfirst\n") == "unchanged"
    assert {request.partition(" ")[0] for request in comments.requests} == {"GET"}


def test_the_comment_of_another_stack_stays(comments: Comments) -> None:
    comments.bodies[1] = f"{marker('prod')}\nof prod"
    _github(comments).put(MARK, f"{MARK}\nof dev")
    assert comments.bodies == {1: f"{marker('prod')}\nof prod", 2: f"{MARK}\nof dev"}


def test_a_busy_host_is_asked_again(comments: Comments) -> None:
    comments.answers = [502]
    assert _github(comments).put(MARK, f"{MARK}\nfirst") == "posted"
    assert len(comments.bodies) == 1


def test_a_token_without_the_right_is_told_which_right_and_never_shown(comments: Comments) -> None:
    with pytest.raises(StepError, match="it needs `pull-requests: write`") as refused:
        _github(comments, GITHUB_TOKEN="expired-word").put(MARK, MARK)
    assert "expired-word" not in str(refused.value)
    assert "expired-word" not in repr(_github(comments, GITHUB_TOKEN="expired-word"))


def test_what_the_host_says_against_a_comment_is_told(comments: Comments) -> None:
    comments.answers = [422]
    with pytest.raises(StepError, match=r"GitHub refused the comment \(422\): .*as the test wants it"):
        _github(comments).put(MARK, MARK)


def test_a_host_that_is_away_is_named(comments: Comments) -> None:
    away = _github(comments, GITHUB_API_URL="https://127.0.0.1:1")
    with pytest.raises(StepError, match=r"GitHub cannot be reached at https://127\.0\.0\.1:1/repos/"):
        replace(away, retries=urllib3.Retry(0)).put(MARK, MARK)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "neither GitHub Actions nor GitLab CI"),
        ({"GITHUB_ACTIONS": "true"}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_REPOSITORY": "a/b", "GITHUB_TOKEN": "t", "GITHUB_REF": "refs/heads/main"}, "which pull request"),
        ({"GITLAB_CI": "true", "GITLAB_TOKEN": "t"}, "CI_PROJECT_ID is not set"),
        ({"GITLAB_CI": "true", "GITLAB_TOKEN": "t", "CI_PROJECT_ID": "1"}, "which merge request"),
    ],
)
def test_what_is_missing_is_named(environment: dict[str, str], said: str) -> None:
    with pytest.raises(StepError, match=said):
        host(environment, None)
