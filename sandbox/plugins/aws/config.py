"""The aws provider's configuration. Nested values arrive as JSON text, booleans and numbers as text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from ..protocol.provider import Failure
from ..protocol.values import Properties, Unknown, Value, contains_unknown, unwrap

_TEXTS: Final = frozenset(
    {
        "accessKey",
        "customCaBundle",
        "httpProxy",
        "httpsProxy",
        "noProxy",
        "pluginDownloadURL",
        "profile",
        "region",
        "retryMode",
        "secretKey",
        "stsRegion",
        "token",
        "version",
    }
)
_FLAGS: Final = frozenset(
    {
        "insecure",
        "s3UsePathStyle",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
        "useDualstackEndpoint",
        "useFipsEndpoint",
    }
)
_LISTS: Final = frozenset({"allowedAccountIds", "forbiddenAccountIds", "sharedConfigFiles", "sharedCredentialsFiles"})
_OTHERS: Final = frozenset({"assumeRoles", "defaultTags", "endpoints", "maxRetries", "userAgents"})
_ROLE_KEYS: Final = frozenset(
    {"duration", "externalId", "policy", "policyArns", "roleArn", "sessionName", "sourceIdentity"}
)
_SERVED_ENDPOINTS: Final = ("ecr", "iam", "sts")
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?\Z")
_ACCOUNT_ID: Final = re.compile(r"\d{12}\Z")
_REGION: Final = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-\d+\Z")


class ConfigError(ValueError):
    """A configuration value that is not accepted: `key` names it."""

    def __init__(self, key: str, reason: str) -> None:
        """Say what is wrong; the reason holds no secret value."""
        super().__init__(f"{key}: {reason}")
        self.key = key
        self.reason = reason


@dataclass(frozen=True)
class Role:
    """A role to assume before anything else is asked. `duration` is in seconds."""

    arn: str
    session_name: str = "pulumi"
    external_id: str = ""
    duration: int | None = None
    policy: str = ""
    policy_arns: tuple[str, ...] = ()
    source_identity: str = ""


@dataclass(frozen=True)
class AwsConfig:
    """What the provider was told. Empty values leave the choice to the SDK: environment, profile, instance."""

    region: str = ""
    sts_region: str = ""
    profile: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    endpoints: Mapping[str, str] = field(default_factory=dict[str, str])
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    allowed_accounts: tuple[str, ...] = ()
    forbidden_accounts: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    config_files: tuple[str, ...] = ()
    credentials_files: tuple[str, ...] = ()
    proxies: Mapping[str, str] = field(default_factory=dict[str, str])
    no_proxy: str = ""
    ca_bundle: str = ""
    max_retries: int | None = None
    retry_mode: str = ""
    insecure: bool = False
    dualstack: bool = False
    fips: bool = False
    skip_credentials_validation: bool = False
    skip_requesting_account: bool = False
    skip_metadata: bool = False


def failures(inputs: Properties) -> list[Failure]:
    """Everything in the configuration that is not accepted; what is unknown yet passes."""
    known = _TEXTS | _FLAGS | _LISTS | _OTHERS
    found = [
        Failure(
            key,
            f"not served by this stand-in for the aws plugin; it takes {', '.join(sorted(known))}",
        )
        for key, value in inputs.items()
        if key not in known and value is not None and not key.startswith("__")
    ]
    try:
        read(inputs)
    except ConfigError as error:
        found.append(Failure(error.key, error.reason))
    return found


def read(inputs: Properties) -> AwsConfig:
    """The typed configuration. What is unknown yet counts as not set.

    Raises:
        ConfigError: a value is not of its kind.
    """
    texts = {key: _text(inputs, key) for key in _TEXTS}
    flags = {key: _flag(inputs, key) for key in _FLAGS}
    if bool(texts["accessKey"]) != bool(texts["secretKey"]):
        raise ConfigError("accessKey", "accessKey and secretKey must be set together")
    region = texts["region"]
    if region and not flags["skipRegionValidation"] and not _REGION.match(region):
        raise ConfigError("region", f"expected a region such as eu-central-1, received {region!r}")
    retries = unwrap(inputs.get("maxRetries"))
    return AwsConfig(
        region=region,
        sts_region=texts["stsRegion"],
        profile=texts["profile"],
        access_key=texts["accessKey"],
        secret_key=texts["secretKey"],
        token=texts["token"],
        endpoints=_endpoints(inputs),
        default_tags=_default_tags(inputs),
        allowed_accounts=_accounts(inputs, "allowedAccountIds"),
        forbidden_accounts=_accounts(inputs, "forbiddenAccountIds"),
        roles=_roles(inputs),
        config_files=_text_list(inputs, "sharedConfigFiles"),
        credentials_files=_text_list(inputs, "sharedCredentialsFiles"),
        proxies={
            scheme: proxy for scheme, proxy in (("http", texts["httpProxy"]), ("https", texts["httpsProxy"])) if proxy
        },
        no_proxy=texts["noProxy"],
        ca_bundle=texts["customCaBundle"],
        max_retries=None if retries is None or isinstance(retries, Unknown) else _whole(retries, "maxRetries"),
        retry_mode=texts["retryMode"],
        insecure=flags["insecure"],
        dualstack=flags["useDualstackEndpoint"],
        fips=flags["useFipsEndpoint"],
        skip_credentials_validation=flags["skipCredentialsValidation"],
        skip_requesting_account=flags["skipRequestingAccountId"],
        skip_metadata=flags["skipMetadataApiCheck"],
    )


def _text(inputs: Properties, key: str) -> str:
    value = unwrap(inputs.get(key))
    if value is None or isinstance(value, Unknown):
        return ""
    if not isinstance(value, str):
        raise ConfigError(key, "expected text")
    return value


def _flag(inputs: Properties, key: str) -> bool:
    value = unwrap(inputs.get(key))
    if value is None or isinstance(value, Unknown) or value == "":
        return False
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ConfigError(key, f"expected true or false, received {value!r}")


def _whole(value: Value, key: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise ConfigError(key, f"expected a whole number, received {value!r}") from None


def _nested(inputs: Properties, key: str) -> Value:
    """A nested value, decoded; None when it is absent or not all known."""
    value = unwrap(inputs.get(key))
    if value is None or contains_unknown(value) or value == "":
        return None
    if isinstance(value, str):
        try:
            return cast("Value", json.loads(value))
        except ValueError as error:
            raise ConfigError(key, f"expected JSON: {error}") from None
    return value


def _list(inputs: Properties, key: str) -> list[Value]:
    value = _nested(inputs, key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ConfigError(key, f"expected a list, received {value!r}")
    return value


def _text_list(inputs: Properties, key: str) -> tuple[str, ...]:
    items = _list(inputs, key)
    if not all(isinstance(item, str | int) for item in items):
        raise ConfigError(key, f"expected a list of texts, received {items!r}")
    return tuple(str(item) for item in items)


def _accounts(inputs: Properties, key: str) -> tuple[str, ...]:
    accounts = _text_list(inputs, key)
    for account in accounts:
        if not _ACCOUNT_ID.match(account):
            raise ConfigError(key, f"expected account ids of 12 digits, received {account!r}")
    return accounts


def _endpoints(inputs: Properties) -> dict[str, str]:
    endpoints: dict[str, str] = {}
    for entry in _list(inputs, "endpoints"):
        if not isinstance(entry, dict):
            raise ConfigError("endpoints", f"expected a list of objects of service to URL, received {entry!r}")
        for service, url in entry.items():
            if url is None or url == "":
                continue
            if not isinstance(url, str) or not re.match(r"https?://", url):
                raise ConfigError("endpoints", f"{service}: expected a URL with http:// or https://, received {url!r}")
            # The others are never called here, and setting them is no mistake.
            if service in _SERVED_ENDPOINTS:
                endpoints[service] = url
    return endpoints


def _default_tags(inputs: Properties) -> dict[str, str]:
    value = _nested(inputs, "defaultTags")
    tags = value.get("tags") if isinstance(value, dict) else None
    if value is None or (isinstance(value, dict) and tags is None):
        return {}
    if not isinstance(tags, dict) or not all(isinstance(tag, str) for tag in tags.values()):
        raise ConfigError("defaultTags", f"expected an object with tags, key to text, received {value!r}")
    return {key: str(tag) for key, tag in tags.items()}


def _roles(inputs: Properties) -> tuple[Role, ...]:
    return tuple(_role(entry) for entry in _list(inputs, "assumeRoles"))


def _role(entry: Value) -> Role:
    if not isinstance(entry, dict) or not isinstance(entry.get("roleArn"), str):
        raise ConfigError("assumeRoles", "each role needs its roleArn")
    unknown = sorted(key for key, value in entry.items() if value is not None and key not in _ROLE_KEYS)
    if unknown:
        raise ConfigError("assumeRoles", f"{', '.join(unknown)} is not served; use {', '.join(sorted(_ROLE_KEYS))}")

    def text(key: str) -> str:
        value = entry.get(key)
        return value if isinstance(value, str) else ""

    arns = entry.get("policyArns")
    return Role(
        arn=text("roleArn"),
        session_name=text("sessionName") or "pulumi",
        external_id=text("externalId"),
        duration=_seconds(text("duration")),
        policy=text("policy"),
        policy_arns=tuple(str(arn) for arn in arns) if isinstance(arns, list) else (),
        source_identity=text("sourceIdentity"),
    )


def _seconds(duration: str) -> int | None:
    """The seconds of a duration such as `1h30m`; None for the role's own limit."""
    if not duration:
        return None
    match = _DURATION.match(duration)
    if match is None:
        raise ConfigError("assumeRoles", f"duration: expected a time as 1h30m, received {duration!r}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
