"""What AWS refuses, in one line that says what to do."""

from __future__ import annotations

from typing import Final, cast

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

_LOG_IN: Final = "log in again: aws sso login, or take new keys of the session"
_UPSTREAM_LOGIN: Final = (
    "the secret must be in the account and region of the rule, its name begin with ecr-pullthroughcache/, and Amazon "
    "ECR be allowed to read it"
)
_CREDENTIALS: Final = {
    "AuthFailure": "check the access key",
    "ExpiredToken": _LOG_IN,
    "ExpiredTokenException": _LOG_IN,
    "InvalidClientTokenId": "check the access key, and that its account is the one that is meant",
    "InvalidSignatureException": "check the secret key",
    "RequestExpired": "check this machine's clock",
    "SignatureDoesNotMatch": "check the secret key",
    "UnrecognizedClientException": "check the access key, and the session's token if it has one",
}
_NOT_ALLOWED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_QUOTA: Final = "a quota of the account: delete what is not needed, or ask for more in Service Quotas"
_ADVICE: Final = {
    "DeleteConflict": "detach what it has; or set forceDetachPolicies to true, run pulumi up, and then delete it",
    "KmsException": "the key must be in the region and enabled, and Amazon ECR be allowed to use it",
    "LimitExceeded": _QUOTA,
    "LimitExceededException": _QUOTA,
    "SecretNotFoundException": _UPSTREAM_LOGIN,
    "UnableToAccessSecretException": _UPSTREAM_LOGIN,
    "UnableToDecryptSecretValueException": "Amazon ECR must be allowed to use the secret's KMS key",
    "UnsupportedUpstreamRegistryException": (
        "upstreams are public.ecr.aws, quay.io and registry.k8s.io, and with credentialArn registry-1.docker.io, "
        "ghcr.io, registry.gitlab.com and <name>.azurecr.io"
    ),
}
_WITHOUT_ANSWER: Final[tuple[tuple[type[BotoCoreError], str], ...]] = (
    (
        NoCredentialsError,
        "no AWS credentials were found; set a profile (pulumi config set aws:profile <name>), AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, or log in: aws sso login",
    ),
    (PartialCredentialsError, "{}; set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"),
    (SSOError, f"{{}}; {_LOG_IN}"),
    (TokenRetrievalError, f"{{}}; {_LOG_IN}"),
    (NoRegionError, "no region is set; pulumi config set aws:region <region>"),
    (ProfileNotFound, "{}; aws configure list-profiles shows what there is"),
    (HTTPClientError, "{}; is the endpoint right, and is it up?"),
    (ConnectionError, "{}; is the endpoint right, and is it up?"),
)
_POLICY: Final = "policy provided"
_POLICY_ADVICE: Final = (
    "AWS does not say what is wrong: every principal must exist, every action be one of ECR, and a registry's policy "
    "name its resources"
)


def error_code(error: ClientError) -> str:
    """The service's name for what went wrong, as `RepositoryNotFoundException`."""
    return _details(error).get("Code", "")


def told(error: ClientError | BotoCoreError) -> str:
    """An error of the service or of the way to it."""
    return _answered(error) if isinstance(error, ClientError) else _unanswered(error)


def _answered(error: ClientError) -> str:
    name, message = error_code(error), " ".join(_details(error).get("Message", "").split())
    if name in _CREDENTIALS:
        return f"AWS refuses the credentials: {message} ({name}); {_CREDENTIALS[name]}"
    if name in _NOT_ALLOWED:
        return f"not allowed: {message} ({name})"
    advice = _POLICY_ADVICE if _POLICY in message else _ADVICE.get(name)
    return f"{message} ({name}){f'; {advice}' if advice else ''}"


def _unanswered(error: BotoCoreError) -> str:
    message = " ".join(str(error).split())
    text = next((text for kind, text in _WITHOUT_ANSWER if isinstance(error, kind)), "{}")
    return text.replace("{}", message)


def _details(error: ClientError) -> dict[str, str]:
    return cast("dict[str, dict[str, str]]", error.response).get("Error", {})
