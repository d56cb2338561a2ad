"""Who the pod is to AWS, and the token that ECR gives it.

Everything is read from the variables that AWS's own SDKs read
(https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html), so that what EKS puts into a pod (a role for
its service account, Pod Identity) serves as it is.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from .exchange import Answer, send
from .outcomes import MisconfiguredError, RefusedError, RenewalError, UnavailableError
from .sigv4 import Credentials, signed

# What asks for patience, in the answers of the two services.
_PASSING: Final = frozenset(
    {
        *("IDPCommunicationError", "InternalFailure", "RequestLimitExceeded", "RequestTimeout", "ServerException"),
        *("ServiceUnavailable", "ServiceUnavailableException", "Throttling", "ThrottlingException"),
        "TooManyRequestsException",
    }
)
_TOLERATED_SKEW: Final = 240.0  # seconds; AWS takes up to 300
_SESSION_SECONDS: Final = 900  # the shortest that STS gives; one request is all that it is for
_LONGEST_SESSION_NAME: Final = 64
# Where a pod may send its token in plain http: loopback, and the addresses of ECS's and EKS's agents.
_PLAIN_HTTP_HOSTS: Final = frozenset(
    {"localhost", "127.0.0.1", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"}
)


@dataclass(frozen=True)
class Token:
    """What logs in to a registry, until it ends."""

    username: str
    password: str = field(repr=False)
    expires: datetime | None


@dataclass(frozen=True)
class Aws:
    """AWS as the pod sees it. ``environment`` holds its variables; ``now`` is its clock, in UTC."""

    environment: Mapping[str, str]
    session_name: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def region(self) -> str:
        """The region whose ECR is asked."""
        region = self.environment.get("AWS_REGION", "")
        if not region:
            raise MisconfiguredError("AWS_REGION is not set: it names the region of the registry")
        return region

    def credentials(self) -> Credentials:
        """The pod's credentials: an access key, else a role by web identity, else what EKS Pod Identity gives.

        Raises:
            RenewalError: there are none; the message says who refused.
        """
        environment = self.environment
        if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
            return Credentials(
                environment["AWS_ACCESS_KEY_ID"],
                environment["AWS_SECRET_ACCESS_KEY"],
                environment.get("AWS_SESSION_TOKEN"),
            )
        if environment.get("AWS_ROLE_ARN") and environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return self._assumed(environment["AWS_ROLE_ARN"], environment["AWS_WEB_IDENTITY_TOKEN_FILE"])
        if environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            return self._given(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
        raise MisconfiguredError(
            "the pod has no AWS identity: expected AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_ROLE_ARN and "
            "AWS_WEB_IDENTITY_TOKEN_FILE, or AWS_CONTAINER_CREDENTIALS_FULL_URI (an EKS Pod Identity association for "
            "its service account puts that into new pods)"
        )

    def token(self, credentials: Credentials) -> Token:
        """A new token for the registries that these credentials may pull from.

        Raises:
            RenewalError: ECR does not give one; the message is its own.
        """
        url = self._endpoint("ecr", "api.ecr")
        body = b"{}"
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
        }
        answer = send(
            "POST",
            url,
            signed(url, headers, body, credentials, service="ecr", region=self.region, now=self.now()),
            body,
        )
        if answer.status != HTTPStatus.OK:
            raise self._refusal("Amazon ECR", "GetAuthorizationToken", answer)
        try:
            (data, *_) = json.loads(answer.body)["authorizationData"]
            username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
            return Token(username, password, _time(data.get("expiresAt")))
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise UnavailableError(f"Amazon ECR answered with no token: {answer.status}") from error

    def _assumed(self, role: str, token_file: str) -> Credentials:
        """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html"""
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": role,
            "RoleSessionName": self.environment.get("AWS_ROLE_SESSION_NAME", self.session_name)[:_LONGEST_SESSION_NAME],
            "WebIdentityToken": _content(token_file),
            "DurationSeconds": str(_SESSION_SECONDS),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = send("POST", self._endpoint("sts", "sts"), headers, urlencode(form).encode())
        if answer.status != HTTPStatus.OK:
            raise self._refusal("AWS STS", f"AssumeRoleWithWebIdentity of {role}", answer)
        try:
            found = _xml(answer)
            return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        except (ElementTree.ParseError, KeyError) as error:
            raise UnavailableError(f"AWS STS answered with no credentials: {answer.status}") from error

    def _given(self, url: str) -> Credentials:
        """https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html"""
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _PLAIN_HTTP_HOSTS:
            raise MisconfiguredError(f"AWS_CONTAINER_CREDENTIALS_FULL_URI is {url!r}: plain http is for agents of AWS")
        file = self.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
        token = _content(file) if file else self.environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        answer = send("GET", url, {"Authorization": token} if token else {})
        if answer.status != HTTPStatus.OK:
            raise self._refusal("EKS Pod Identity", "the request for credentials", answer)
        try:
            found = cast("dict[str, str]", json.loads(answer.body))
            return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token"))
        except (ValueError, KeyError, TypeError) as error:
            raise UnavailableError(f"EKS Pod Identity answered with no credentials: {answer.status}") from error

    def _endpoint(self, service: str, host: str) -> str:
        chosen = self.environment.get(f"AWS_ENDPOINT_URL_{service.upper()}") or self.environment.get("AWS_ENDPOINT_URL")
        if chosen:
            return chosen.rstrip("/") + "/"
        # China's regions have a domain of their own.
        suffix = ".cn" if self.region.startswith("cn-") else ""
        return f"https://{host}.{self.region}.amazonaws.com{suffix}/"

    def _refusal(self, who: str, what: str, answer: Answer) -> RenewalError:
        code, message = _error(answer)
        words = ": ".join(part for part in (code, message) if part) or answer.quote or "no reason given"
        if answer.is_busy or code in _PASSING:
            return UnavailableError(f"{who} did not serve {what}: {words} (HTTP {answer.status})")
        return RefusedError(f"{who} refused {what}: {words} (HTTP {answer.status}){self._skew(answer)}")

    def _skew(self, answer: Answer) -> str:
        """How far this node's clock is off, where that is why a signature was not accepted."""
        theirs = answer.date
        if theirs is None:
            return ""
        ahead = (self.now() - theirs).total_seconds()
        if abs(ahead) < _TOLERATED_SKEW:
            return ""
        return (
            f". The clock of this pod's node is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of "
            "AWS, which takes no signature that is more than 300 s off: set the node's clock right (NTP)"
        )


def _content(path: str) -> str:
    try:
        content = Path(path).read_text().strip()
    except OSError as error:
        raise MisconfiguredError(f"{path}: {error.strerror}; it should hold the pod's token for AWS") from error
    if not content:
        raise MisconfiguredError(f"{path} is empty; it should hold the pod's token for AWS")
    return content


def _error(answer: Answer) -> tuple[str, str]:
    """Code and message of an error, in AWS's JSON or its query protocol; empty where it has none."""
    with suppress(ValueError):
        body: object = json.loads(answer.body)
        fields = cast("dict[str, object]", body) if isinstance(body, dict) else {}
        code = str(fields.get("__type") or fields.get("code") or "").rpartition("#")[2]
        return code, str(fields.get("message") or fields.get("Message") or "")
    with suppress(ElementTree.ParseError):
        found = _xml(answer)
        return found.get("Code", ""), found.get("Message", "")
    return "", ""


def _xml(answer: Answer) -> dict[str, str]:
    """The texts of an answer in AWS's query protocol, by their elements' names."""
    root = ElementTree.fromstring(answer.body)  # noqa: S314 - expat itself limits how far entities may expand
    return {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter()}


def _time(stamp: object) -> datetime | None:
    return datetime.fromtimestamp(stamp, UTC) if isinstance(stamp, int | float) else None
