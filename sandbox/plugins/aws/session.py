"""boto3 clients for the configured account."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, cast

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..protocol.provider import ProviderError
from . import refusals
from .config import AwsConfig, Role

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_iam.client import IAMClient
    from types_boto3_sts.client import STSClient
    from types_boto3_sts.type_defs import AssumeRoleRequestTypeDef

_CONNECT_LIMIT: Final = 5.0  # seconds
_READ_LIMIT: Final = 30.0  # seconds
_DEFAULT_ATTEMPTS: Final = 4
_DEFAULT_STS_REGION: Final = "us-east-1"


class _MakesClients(Protocol):
    """`boto3.Session`, whose published types name every service there is."""

    def client(self, service_name: str, /, **options: object) -> object: ...


class Session:
    """The configured account: its clients, its identity and its region."""

    def __init__(self, config: AwsConfig) -> None:
        """Find credentials and region, assume the roles, and make sure that it is an account that is wanted.

        Raises:
            ProviderError: there are no valid credentials, no region, or the account is the wrong one.
        """
        self._config = config
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], object] = {}
        with one_line_errors("aws: credentials"):
            self._session = _session(config)
        self.region = self._session.region_name or ""
        if not self.region:
            raise ProviderError(
                "aws: no region is set; set one: pulumi config set aws:region <region>, "
                "the provider's region, or AWS_REGION"
            )
        for role in config.roles:
            self._session = self._assume(role)
        self.account = self._find_account()

    @property
    def default_tags(self) -> dict[str, str]:
        """Tags for every resource."""
        return dict(self._config.default_tags)

    def ecr(self, region: str = "") -> ECRClient:
        """The client of Elastic Container Registry, in the provider's region or in another one."""
        return cast("ECRClient", self._kept_client("ecr", region or self.region))

    def iam(self) -> IAMClient:
        """The client of Identity and Access Management, which an account has once for all regions."""
        return cast("IAMClient", self._kept_client("iam", self.region))

    def sts(self) -> STSClient:
        """The client of the Security Token Service."""
        return cast("STSClient", self._client("sts", self._config.sts_region or self.region or _DEFAULT_STS_REGION))

    def _kept_client(self, service: str, region: str) -> object:
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._client(service, region)
            return self._clients[service, region]

    def _client(self, service: str, region: str) -> object:
        return cast("_MakesClients", self._session).client(
            service,
            region_name=region,
            endpoint_url=self._config.endpoints.get(service),
            config=_client_config(self._config),
            verify=_verify(self._config),
        )

    def _assume(self, role: Role) -> boto3.Session:
        with one_line_errors(f"aws: assuming the role {role.arn}"):
            answer = self.sts().assume_role(**_role_request(role))
        credentials = answer["Credentials"]
        return boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=self.region,
        )

    def _find_account(self) -> str:
        """The account's id; empty when it is not to be asked for."""
        config = self._config
        wanted = config.allowed_accounts or config.forbidden_accounts
        if config.skip_requesting_account and wanted:
            raise ProviderError(
                "aws: allowedAccountIds and forbiddenAccountIds need the account's id, and skipRequestingAccountId "
                "forbids to ask for it: drop one of them"
            )
        if config.skip_requesting_account and config.skip_credentials_validation:
            return ""
        with one_line_errors("aws: asking who the credentials belong to"):
            account = self.sts().get_caller_identity()["Account"]
        if config.allowed_accounts and account not in config.allowed_accounts:
            raise ProviderError(
                f"aws: the credentials belong to account {account}, and only {', '.join(config.allowed_accounts)} is "
                "allowed (allowedAccountIds); choose another profile, or correct the account"
            )
        if account in config.forbidden_accounts:
            raise ProviderError(f"aws: the credentials belong to account {account}, which forbiddenAccountIds names")
        return account


def _role_request(role: Role) -> AssumeRoleRequestTypeDef:
    request: AssumeRoleRequestTypeDef = {"RoleArn": role.arn, "RoleSessionName": role.session_name}
    if role.external_id:
        request["ExternalId"] = role.external_id
    if role.duration:
        request["DurationSeconds"] = role.duration
    if role.policy:
        request["Policy"] = role.policy
    if role.policy_arns:
        request["PolicyArns"] = [{"arn": arn} for arn in role.policy_arns]
    if role.source_identity:
        request["SourceIdentity"] = role.source_identity
    return request


@contextmanager
def one_line_errors(doing: str) -> Generator[None]:
    """Turns what boto3 raises into one line for the user; an error of the service that a caller knows passes first.

    Raises:
        ProviderError: instead of any error of boto3.
    """
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ProviderError(f"{doing}: {refusals.told(error)}") from None


def _session(config: AwsConfig) -> boto3.Session:
    core = botocore.session.Session(profile=config.profile or None)
    # Values that are set here win over the environment, in this session only.
    for name, files in (("config_file", config.config_files), ("credentials_file", config.credentials_files)):
        if files:
            core.set_config_variable(name, files[0])
    if config.skip_metadata and not config.access_key and "AWS_EC2_METADATA_DISABLED" not in os.environ:
        core.set_config_variable("metadata_service_num_attempts", 0)
    return boto3.Session(
        botocore_session=core,
        aws_access_key_id=config.access_key or None,
        aws_secret_access_key=config.secret_key or None,
        aws_session_token=config.token or None,
        region_name=config.region or os.environ.get("AWS_REGION") or None,
    )


def _client_config(config: AwsConfig) -> Config:
    attempts = _DEFAULT_ATTEMPTS if config.max_retries is None else config.max_retries + 1
    mode = "adaptive" if config.retry_mode == "adaptive" else "standard"
    return Config(
        connect_timeout=_CONNECT_LIMIT,
        read_timeout=_READ_LIMIT,
        retries={"total_max_attempts": attempts, "mode": mode},
        proxies=dict(config.proxies) or None,
        use_dualstack_endpoint=config.dualstack or None,
        use_fips_endpoint=config.fips or None,
    )


def _verify(config: AwsConfig) -> bool | str | None:
    if config.insecure:
        return False
    return config.ca_bundle or None
