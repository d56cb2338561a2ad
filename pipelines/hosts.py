"""Comments on a pull request of GitHub or a merge request of GitLab: one for each stack, updated in place.

GitHub's API: https://docs.github.com/en/rest/issues/comments. GitLab's: https://docs.gitlab.com/api/notes/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, cast

import urllib3

from pipelines.errors import StepError

_PAGE: Final = 100
_TIMEOUT: Final = urllib3.Timeout(connect=10, read=30)
# A comment that is posted twice is worse than none: only what never reached the host, or asks for it, is sent again.
_RETRIES: Final = urllib3.Retry(
    total=4, connect=4, read=0, status=4, backoff_factor=1, status_forcelist=(429, 502, 503, 504), allowed_methods=None
)


@dataclass(frozen=True)
class Host:
    """Where the comments of one pull or merge request are.

    ``comments`` lists them and takes new ones, ``comment`` is the address of one, with ``{id}`` in it; ``method``
    changes one. ``needs`` says what right the token needs.
    """

    name: str
    comments: str
    comment: str
    method: str
    headers: Mapping[str, str] = field(repr=False)
    needs: str
    retries: urllib3.Retry = _RETRIES

    def put(self, marker: str, body: str) -> str:
        """Post ``body``, which begins with ``marker``, or let it take the place of the comment that began so before.

        Gives ``posted``, ``updated`` or ``unchanged``.

        Raises:
            StepError: the host cannot be reached, or refuses it.
        """
        for comment in self._all():
            text = str(comment.get("body") or "")
            if text.startswith(marker):
                if _same(text, body):
                    return "unchanged"
                self._ask(self.method, self.comment.format(id=comment["id"]), body)
                return "updated"
        self._ask("POST", self.comments, body)
        return "posted"

    def _all(self) -> Iterator[dict[str, Any]]:
        page = 1
        while True:
            listed: object = self._ask("GET", f"{self.comments}?per_page={_PAGE}&page={page}")
            if not isinstance(listed, list):
                raise StepError(f"{self.name} answered with something else than comments at {self.comments}")
            found = cast("list[dict[str, Any]]", listed)
            yield from found
            if len(found) < _PAGE:
                return
            page += 1

    def _ask(self, method: str, url: str, body: str | None = None) -> object:
        content = None if body is None else json.dumps({"body": body}).encode()
        headers = {**self.headers, "Content-Type": "application/json", "User-Agent": "dockercoins-pipelines"}
        try:
            answer = urllib3.request(method, url, body=content, headers=headers, timeout=_TIMEOUT, retries=self.retries)
        except urllib3.exceptions.HTTPError as error:
            raise StepError(f"{self.name} cannot be reached at {url}: {error}") from None
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise StepError(
                f"{self.name} does not let this token comment ({answer.status} for {method} {url}): it has expired, is "
                f"for something else, or lacks a right; it needs {self.needs}"
            )
        if answer.status >= HTTPStatus.BAD_REQUEST:
            said = re.sub(r"\s+", " ", answer.data.decode(errors="replace"))[:300]
            raise StepError(f"{self.name} refused the comment ({answer.status}): {said}")
        try:
            return cast("object", json.loads(answer.data))
        except ValueError:
            raise StepError(f"{self.name} did not answer with JSON at {url}") from None


def github(environment: Mapping[str, str], number: str | None) -> Host:
    """The pull request that GitHub Actions runs for, or the one with this number.

    Raises:
        StepError: a variable is missing.
    """
    token = _variable(environment, "GITHUB_TOKEN", "the workflow's own token: `GITHUB_TOKEN: ${{ github.token }}`")
    repository = _variable(environment, "GITHUB_REPOSITORY", "owner/name; GitHub Actions sets it")
    found = re.fullmatch(r"refs/pull/(\d+)/(?:merge|head)", environment.get("GITHUB_REF", ""))
    request = _number(number or (found.group(1) if found else None), "pull request", "GITHUB_REF")
    api = f"{environment.get('GITHUB_API_URL', 'https://api.github.com').rstrip('/')}/repos/{repository}/issues"
    return Host(
        "GitHub",
        f"{api}/{request}/comments",
        f"{api}/comments/{{id}}",
        "PATCH",
        {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        "`pull-requests: write`",
    )


def gitlab(environment: Mapping[str, str], number: str | None) -> Host:
    """The merge request that GitLab CI runs for, or the one with this number.

    Raises:
        StepError: a variable is missing.
    """
    # A job's own token may not write notes: https://docs.gitlab.com/ci/jobs/ci_job_token/
    token = _variable(environment, "GITLAB_TOKEN", "a project access token with the scope `api`, as a masked variable")
    project = _variable(environment, "CI_PROJECT_ID", "GitLab CI sets it")
    request = _number(number or environment.get("CI_MERGE_REQUEST_IID"), "merge request", "CI_MERGE_REQUEST_IID")
    api = environment.get("CI_API_V4_URL", "https://gitlab.com/api/v4").rstrip("/")
    notes = f"{api}/projects/{project}/merge_requests/{request}/notes"
    return Host("GitLab", notes, f"{notes}/{{id}}", "PUT", {"PRIVATE-TOKEN": token}, "the scope `api`, as a Reporter")


def host(environment: Mapping[str, str], number: str | None) -> Host:
    """The one that this pipeline runs on.

    Raises:
        StepError: it is neither of both, or a variable is missing.
    """
    if environment.get("GITHUB_ACTIONS") or environment.get("GITHUB_REPOSITORY"):
        return github(environment, number)
    if environment.get("GITLAB_CI") or environment.get("CI_PROJECT_ID"):
        return gitlab(environment, number)
    raise StepError(
        "this is neither GitHub Actions nor GitLab CI: set GITHUB_REPOSITORY and GITHUB_TOKEN, or CI_PROJECT_ID and "
        "GITLAB_TOKEN, and give the request's number by --number"
    )


def _variable(environment: Mapping[str, str], name: str, what: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise StepError(f"{name} is not set: {what}")
    return value


def _number(value: str | None, what: str, variable: str) -> str:
    if value and value.isdecimal():
        return value
    raise StepError(
        f"it is not known which {what} to comment on ({variable} does not say): give its number by --number"
    )


def _same(one: str, other: str) -> bool:
    # Hosts store line ends in their own way.
    return one.replace("\r\n", "\n").strip() == other.strip()
