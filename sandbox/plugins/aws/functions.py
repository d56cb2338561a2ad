"""The functions that are served: what a program may ask of the account without managing anything."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypedDict, cast

from botocore.exceptions import ClientError
from botocore.loaders import Loader

from ..protocol.provider import ProviderError
from ..protocol.values import Properties, Secret, Value, get_bool, get_string
from . import encryption, mutability
from . import tags as tagging
from .refusals import error_code
from .repository import scan_output
from .session import Session, one_line_errors

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import (
        DescribeImagesRequestPaginateTypeDef,
        DescribeRepositoriesRequestTypeDef,
        ImageDetailTypeDef,
        ImageIdentifierTypeDef,
        RepositoryTypeDef,
    )

AUTHORIZATION_TOKEN: Final = "aws:ecr/getAuthorizationToken:getAuthorizationToken"  # noqa: S105 - a function's name
REPOSITORY: Final = "aws:ecr/getRepository:getRepository"
IMAGE: Final = "aws:ecr/getImage:getImage"
CALLER_IDENTITY: Final = "aws:index/getCallerIdentity:getCallerIdentity"
REGION: Final = "aws:index/getRegion:getRegion"
PARTITION: Final = "aws:index/getPartition:getPartition"

_Arguments = Mapping[str, Value]


class _Partition(TypedDict):
    dnsSuffix: str
    partition: str
    regions: dict[str, dict[str, str]]


class Functions:
    """The functions by token; each takes its arguments and gives its result."""

    def __init__(self, session: Session) -> None:
        """Serve the account of this session."""
        self._session = session
        self.by_token: Mapping[str, Callable[[_Arguments], Properties]] = {
            AUTHORIZATION_TOKEN: self.authorization_token,
            CALLER_IDENTITY: self.caller_identity,
            IMAGE: self.image,
            PARTITION: self.partition,
            REGION: self.region,
            REPOSITORY: self.repository,
        }

    def authorization_token(self, arguments: _Arguments) -> Properties:
        """A login for the registry, good for twelve hours. Token and password are secrets."""
        registry = get_string(arguments, "registryId")
        with one_line_errors("asking for an ECR authorization token"):
            answer = self._ecr(arguments).get_authorization_token(**({"registryIds": [registry]} if registry else {}))
        data = answer["authorizationData"][0]
        token = data.get("authorizationToken", "")
        user, _, password = base64.b64decode(token).decode().partition(":")
        expires = data.get("expiresAt")
        region = self._region(arguments)
        return {
            "authorizationToken": Secret(token),
            "expiresAt": expires.isoformat() if expires else "",
            "id": region,
            "password": Secret(password),
            "proxyEndpoint": data.get("proxyEndpoint", ""),
            "region": region,
            "registryId": registry,
            "userName": user,
        }

    def repository(self, arguments: _Arguments) -> Properties:
        """A repository that something else manages."""
        name = get_string(arguments, "name") or ""
        registry = get_string(arguments, "registryId")
        client = self._ecr(arguments)
        with one_line_errors(f"reading the ECR repository {name}"):
            try:
                found = _describe(client, name, registry)
            except ClientError as error:
                raise self._not_found(error, f"the ECR repository {name}", arguments) from None
            arn = found.get("repositoryArn", "")
            listed = client.list_tags_for_resource(resourceArn=arn).get("tags", [])
            recent = _most_recent(_images(client, name, registry))
        tags: Properties = dict(tagging.from_pairs((tag["Key"], tag["Value"]) for tag in listed))
        filters = mutability.output(found.get("imageTagMutabilityExclusionFilters", []))
        recent_tags: list[Value] = list(recent.get("imageTags", [])) if recent else []
        return {
            "arn": arn,
            "encryptionConfigurations": [encryption.output(found.get("encryptionConfiguration"))],
            "id": name,
            "imageScanningConfigurations": [{"scanOnPush": scan_output(found)}],
            "imageTagMutability": found.get("imageTagMutability", "MUTABLE"),
            "imageTagMutabilityExclusionFilters": filters,
            "mostRecentImageTags": recent_tags,
            "name": name,
            "region": self._region(arguments),
            "registryId": found.get("registryId", ""),
            "repositoryUrl": found.get("repositoryUri", ""),
            "tags": tags,
        }

    def image(self, arguments: _Arguments) -> Properties:
        """An image in a repository, by its digest, its tag, or as the one pushed last."""
        name = get_string(arguments, "repositoryName") or ""
        registry = get_string(arguments, "registryId")
        digest, tag = get_string(arguments, "imageDigest"), get_string(arguments, "imageTag")
        newest = get_bool(arguments, "mostRecent", default=False)
        if not (digest or tag or newest):
            raise ProviderError(f"{IMAGE}: set one of imageDigest, imageTag and mostRecent")
        what = f"the image {digest or tag or 'pushed last'} in the ECR repository {name}"
        client = self._ecr(arguments)
        with one_line_errors(f"reading {what}"):
            try:
                images = _images(client, name, registry, digest=digest, tag=tag)
                uri = _describe(client, name, registry).get("repositoryUri", "")
            except ClientError as error:
                raise self._not_found(error, what, arguments) from None
        found = _most_recent(images)
        if found is None:
            raise ProviderError(f"reading {what}: there is none in region {self._region(arguments)}")
        pushed = found.get("imagePushedAt")
        found_digest = found.get("imageDigest", "")
        image_tags: list[Value] = list(found.get("imageTags", []))
        return {
            "id": found_digest,
            "imageDigest": found_digest,
            "imagePushedAt": int(pushed.timestamp()) if pushed else 0,
            "imageSizeInBytes": found.get("imageSizeInBytes", 0),
            "imageTag": tag,
            "imageTags": image_tags,
            "imageUri": f"{uri}@{found_digest}",
            "mostRecent": newest or None,
            "region": self._region(arguments),
            "registryId": found.get("registryId", ""),
            "repositoryName": name,
        }

    def caller_identity(self, _arguments: _Arguments) -> Properties:
        """Who the credentials belong to."""
        with one_line_errors("asking who the credentials belong to"):
            identity = self._session.sts().get_caller_identity()
        account = identity["Account"]
        return {"accountId": account, "arn": identity["Arn"], "id": account, "userId": identity["UserId"]}

    def region(self, arguments: _Arguments) -> Properties:
        """A region by its name or its EC2 endpoint, by default the provider's."""
        wanted = get_string(arguments, "region") or get_string(arguments, "name")
        if endpoint := get_string(arguments, "endpoint"):
            wanted = endpoint.removeprefix("ec2.").split(".", 1)[0]
        region = wanted or self._session.region
        partition = _partition_of(region)
        return {
            "description": partition["regions"].get(region, {}).get("description", ""),
            "endpoint": f"ec2.{region}.{partition['dnsSuffix']}",
            "id": region,
            "name": region,
            "region": region,
        }

    def partition(self, _arguments: _Arguments) -> Properties:
        """The partition of the provider's region."""
        partition = _partition_of(self._session.region)
        return {
            "dnsSuffix": partition["dnsSuffix"],
            "id": partition["partition"],
            "partition": partition["partition"],
            "reverseDnsPrefix": ".".join(reversed(partition["dnsSuffix"].split("."))),
        }

    def _ecr(self, arguments: _Arguments) -> ECRClient:
        return self._session.ecr(get_string(arguments, "region") or "")

    def _region(self, arguments: _Arguments) -> str:
        return get_string(arguments, "region") or self._session.region

    def _not_found(self, error: ClientError, what: str, arguments: _Arguments) -> Exception:
        if error_code(error) not in ("RepositoryNotFoundException", "ImageNotFoundException"):
            return error
        account = f"account {self._session.account}, " if self._session.account else ""
        return ProviderError(f"reading {what}: there is none in {account}region {self._region(arguments)}")


def _images(
    client: ECRClient, name: str, registry: str | None, *, digest: str | None = None, tag: str | None = None
) -> list[ImageDetailTypeDef]:
    identifier: ImageIdentifierTypeDef = {}
    if digest:
        identifier["imageDigest"] = digest
    if tag:
        identifier["imageTag"] = tag
    request: DescribeImagesRequestPaginateTypeDef = {"repositoryName": name}
    if registry:
        request["registryId"] = registry
    if identifier:
        request["imageIds"] = [identifier]
    pages = client.get_paginator("describe_images").paginate(**request)
    return [image for page in pages for image in page["imageDetails"]]


def _describe(client: ECRClient, name: str, registry: str | None) -> RepositoryTypeDef:
    request: DescribeRepositoriesRequestTypeDef = {"repositoryNames": [name]}
    if registry:
        request["registryId"] = registry
    return client.describe_repositories(**request)["repositories"][0]


def _most_recent(images: list[ImageDetailTypeDef]) -> ImageDetailTypeDef | None:
    def pushed_at(image: ImageDetailTypeDef) -> float:
        pushed = image.get("imagePushedAt")
        return pushed.timestamp() if pushed else 0.0

    return max(images, key=pushed_at, default=None)


def _partition_of(region: str) -> _Partition:
    """The partition that a region is in, from the SDK's own data; the commercial one for a region that it lacks."""
    data = cast("dict[str, list[_Partition]]", Loader().load_data("endpoints"))
    partitions = data["partitions"]
    return next((partition for partition in partitions if region in partition["regions"]), partitions[0])
