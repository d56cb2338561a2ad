"""`aws:ecr/repository:Repository`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from ..protocol.diff import ChangeKind, Diff, compare
from ..protocol.provider import (
    CheckRequest,
    CheckResult,
    CreateRequest,
    CreateResult,
    DeleteRequest,
    DiffRequest,
    Failure,
    ProviderError,
    ReadRequest,
    ReadResult,
    UpdateRequest,
)
from ..protocol.values import UNKNOWN, Properties, Value, get_string, unwrap
from . import encryption, mutability, naming
from . import inputs as checks
from . import tags as tagging
from .refusals import error_code
from .session import Session, one_line_errors

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import (
        CreateRepositoryRequestTypeDef,
        PutImageTagMutabilityRequestTypeDef,
        RepositoryTypeDef,
    )

TYPE: Final = "aws:ecr/repository:Repository"
_INPUTS: Final = frozenset(
    {
        "encryptionConfigurations",
        "forceDelete",
        "imageScanningConfiguration",
        "imageTagMutability",
        "imageTagMutabilityExclusionFilters",
        "name",
        "region",
        "tags",
    }
)
_NAME: Final = re.compile(
    r"(?=.{2,256}\Z)(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z"
)
_LONGEST_NAME: Final = 256
_REPLACED_BY: Final = ("name", "encryptionConfigurations", "region")
# AWS always has a value for these: a program that no longer names them accepts the one that is there.
_KEPT_WHEN_LEFT_OUT: Final = frozenset({"encryptionConfigurations", "imageScanningConfiguration"})


class Repository:
    """Repositories for images; the id is the repository's name."""

    def __init__(self, session: Session) -> None:
        """Serve the account of this session."""
        self._session = session

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate the inputs, name the repository, and merge the provider's default tags in."""
        inputs = {key: value for key, value in request.inputs.items() if key != naming.DEFAULTS}
        found = _failures(inputs)
        defaults: list[Value] = []
        checked: Properties = dict(inputs)
        if mutability.KEY not in inputs:
            checked[mutability.KEY] = mutability.DEFAULT
            defaults.append(mutability.KEY)
        if "name" not in inputs:
            name = naming.automatic(request, _LONGEST_NAME)
            if isinstance(name, Failure):
                found.append(name)
            else:
                checked["name"] = name
                defaults.append("name")
        tags = tagging.merged(self._session.default_tags, unwrap(inputs.get("tags")))
        if tags is not None:
            checked["tags"] = tags
        return CheckResult({**checked, naming.DEFAULTS: defaults}, found)

    def diff(self, request: DiffRequest) -> Diff:
        """A change of name, encryption or region replaces the repository; the rest is changed in place."""
        # A region that is written out is the same as one that is left to the provider.
        region: Properties = {"region": self._session.region}
        diff = compare(
            region | _comparable(request.old_inputs, request.inputs),
            region | _comparable(request.inputs, request.inputs),
            replace_on=_REPLACED_BY,
            ignore=(naming.DEFAULTS,),
            # Its name is taken until it is gone.
            delete_before_replace=request.old_inputs.get("name") == request.inputs.get("name"),
        )
        kept = tuple(
            change
            for change in diff.changes
            if not (change.kind is ChangeKind.DELETE and change.path[0] in _KEPT_WHEN_LEFT_OUT)
        )
        return Diff(kept, diff.delete_before_replace)

    def create(self, request: CreateRequest) -> CreateResult:
        """Create the repository."""
        inputs = request.inputs
        name = get_string(inputs, "name") or ""
        if request.preview:
            # No id yet: functions that depend on the repository wait for it to exist.
            return CreateResult("", self._previewed(inputs, {}))
        client = self._client(inputs)
        doing = f"creating the ECR repository {name}"
        wanted: CreateRepositoryRequestTypeDef = {
            "repositoryName": name,
            "imageTagMutability": mutability.chosen(inputs),
            "imageScanningConfiguration": {"scanOnPush": _scan_on_push(inputs)},
            "encryptionConfiguration": encryption.request(inputs),
            "tags": [{"Key": key, "Value": value} for key, value in tagging.texts(inputs.get("tags")).items()],
        }
        if filters := mutability.exclusions(inputs):
            wanted["imageTagMutabilityExclusionFilters"] = filters
        with one_line_errors(doing):
            try:
                created = client.create_repository(**wanted)["repository"]
            except ClientError as error:
                if error_code(error) == "RepositoryAlreadyExistsException":
                    raise ProviderError(
                        f"{doing}: it exists already in {self._place(inputs)}; to manage it here: "
                        f"pulumi import {TYPE} {request.name} {name}"
                    ) from None
                raise
        return CreateResult(name, self._outputs(created, tagging.texts(inputs.get("tags")), inputs))

    def read(self, request: ReadRequest) -> ReadResult | None:
        """Read the repository; None when there is none of this name."""
        found = self._describe(request.id, request.inputs or request.outputs)
        if found is None:
            return None
        repository, tags = found
        outputs = self._outputs(repository, tags, request.inputs)
        return ReadResult(request.id, _live_inputs(request, outputs), outputs)

    def update(self, request: UpdateRequest) -> Properties:
        """Change mutability, scanning and tags where they differ."""
        old, new = request.old_inputs, request.inputs
        if request.preview:
            return self._previewed(new, request.old_outputs)
        client = self._client(new)
        name = request.id
        with one_line_errors(f"updating the ECR repository {name}"):
            if (mutability.chosen(old), mutability.exclusions(old)) != (
                mutability.chosen(new),
                mutability.exclusions(new),
            ):
                wanted: PutImageTagMutabilityRequestTypeDef = {
                    "repositoryName": name,
                    "imageTagMutability": mutability.chosen(new),
                }
                if filters := mutability.exclusions(new):
                    wanted["imageTagMutabilityExclusionFilters"] = filters
                client.put_image_tag_mutability(**wanted)
            if "imageScanningConfiguration" in new and _scan_on_push(old) != _scan_on_push(new):
                client.put_image_scanning_configuration(
                    repositoryName=name, imageScanningConfiguration={"scanOnPush": _scan_on_push(new)}
                )
            change = tagging.change(tagging.texts(old.get("tags")), tagging.texts(new.get("tags")))
            arn = get_string(request.old_outputs, "arn") or ""
            if change.remove:
                client.untag_resource(resourceArn=arn, tagKeys=list(change.remove))
            if change.set:
                client.tag_resource(
                    resourceArn=arn, tags=[{"Key": key, "Value": value} for key, value in change.set.items()]
                )
        found = self._describe(name, new)
        if found is None:
            raise ProviderError(
                f"updating the ECR repository {name}: it is gone from {self._place(new)}; pulumi refresh notes that"
            )
        repository, tags = found
        return self._outputs(repository, tags, new)

    def delete(self, request: DeleteRequest) -> None:
        """Delete the repository; with its images only if `forceDelete` was set before."""
        inputs = request.inputs or request.outputs
        force = unwrap(inputs.get("forceDelete")) is True
        doing = f"deleting the ECR repository {request.id}"
        with one_line_errors(doing):
            try:
                self._client(inputs).delete_repository(repositoryName=request.id, force=force)
            except ClientError as error:
                code = error_code(error)
                if code == "RepositoryNotFoundException":
                    return
                if code == "RepositoryNotEmptyException":
                    raise ProviderError(
                        f"{doing}: it still holds images; delete them first, or set forceDelete to true on "
                        f"{request.name}, run pulumi up, and then delete it with all of them"
                    ) from None
                raise

    def _client(self, inputs: Mapping[str, Value]) -> ECRClient:
        return self._session.ecr(get_string(inputs, "region") or "")

    def _place(self, inputs: Mapping[str, Value]) -> str:
        region = get_string(inputs, "region") or self._session.region
        return f"account {self._session.account}, region {region}" if self._session.account else f"region {region}"

    def _describe(self, name: str, inputs: Mapping[str, Value]) -> tuple[RepositoryTypeDef, dict[str, str]] | None:
        client = self._client(inputs)
        with one_line_errors(f"reading the ECR repository {name}"):
            try:
                repository = client.describe_repositories(repositoryNames=[name])["repositories"][0]
                listed = client.list_tags_for_resource(resourceArn=repository.get("repositoryArn", "")).get("tags", [])
            except ClientError as error:
                if error_code(error) == "RepositoryNotFoundException":
                    return None
                raise
        return repository, tagging.from_pairs((tag["Key"], tag["Value"]) for tag in listed)

    def _outputs(
        self, repository: RepositoryTypeDef, tags: Mapping[str, str], inputs: Mapping[str, Value]
    ) -> Properties:
        name = repository.get("repositoryName", "")
        all_tags: Properties = dict(tags)
        outputs: Properties = {
            "arn": repository.get("repositoryArn", ""),
            "encryptionConfigurations": [encryption.output(repository.get("encryptionConfiguration"))],
            "id": name,
            "imageScanningConfiguration": {"scanOnPush": scan_output(repository)},
            "imageTagMutability": repository.get("imageTagMutability", "MUTABLE"),
            "name": name,
            "region": get_string(inputs, "region") or self._session.region,
            "registryId": repository.get("registryId", ""),
            "repositoryUrl": repository.get("repositoryUri", ""),
            "tagsAll": all_tags,
        }
        if filters := mutability.output(repository.get("imageTagMutabilityExclusionFilters", [])):
            outputs[mutability.FILTERS] = filters
        if all_tags:
            outputs["tags"] = all_tags
        if inputs.get("forceDelete") is not None:
            outputs["forceDelete"] = inputs["forceDelete"]
        return outputs

    def _previewed(self, inputs: Properties, old_outputs: Mapping[str, Value]) -> Properties:
        """The outputs as far as they are known before AWS is asked."""
        tags = inputs.get("tags")
        outputs: Properties = {key: value for key, value in inputs.items() if key in _INPUTS}
        for key in ("arn", "registryId", "repositoryUrl"):
            outputs[key] = old_outputs.get(key, UNKNOWN)
        outputs.setdefault("encryptionConfigurations", old_outputs.get("encryptionConfigurations", UNKNOWN))
        outputs.setdefault("imageScanningConfiguration", old_outputs.get("imageScanningConfiguration", UNKNOWN))
        outputs["region"] = inputs.get("region") or self._session.region
        outputs["tagsAll"] = {} if tags is None else tags
        return outputs


def scan_output(repository: RepositoryTypeDef) -> bool:
    """Whether a repository scans every image that is pushed."""
    return bool(repository.get("imageScanningConfiguration", {}).get("scanOnPush", False))


def _failures(inputs: Properties) -> list[Failure]:
    expected = "2 to 256 lower case letters, digits, . _ - and /, as team/app"
    return [
        *checks.unaccepted(inputs, _INPUTS, TYPE),
        *checks.text("name", inputs.get("name"), _NAME, expected),
        *mutability.failures(inputs),
        *encryption.failures(inputs),
        *tagging.failures("tags", inputs.get("tags")),
    ]


def _comparable(inputs: Properties, wanted: Mapping[str, Value]) -> Properties:
    """The inputs in one form: a default is the same whether it is written out or left out."""
    comparable = dict(inputs)
    chosen = encryption.comparable(inputs.get(encryption.KEY), wanted.get(encryption.KEY))
    if chosen is not None:
        comparable[encryption.KEY] = chosen
    if "imageScanningConfiguration" in wanted and inputs.get("imageScanningConfiguration") is None:
        comparable["imageScanningConfiguration"] = {"scanOnPush": False}
    if inputs.get("forceDelete") is None and "forceDelete" in wanted:
        comparable["forceDelete"] = False
    return comparable


def _live_inputs(request: ReadRequest, outputs: Properties) -> Properties:
    """The inputs that would make the live repository: those of the program with live values, or all at an import."""
    if request.inputs:
        inputs = {
            key: outputs[key] if key in outputs and key not in ("forceDelete", "region") else value
            for key, value in request.inputs.items()
        }
        if "tags" in outputs:
            inputs["tags"] = outputs["tags"]
        elif "tags" in inputs:
            del inputs["tags"]
        if "imageTagMutabilityExclusionFilters" not in outputs:
            inputs.pop("imageTagMutabilityExclusionFilters", None)
        return inputs
    kept = ("imageScanningConfiguration", "imageTagMutability", "imageTagMutabilityExclusionFilters", "name", "tags")
    inputs: Properties = {key: outputs[key] for key in kept if key in outputs}
    if not encryption.is_default(outputs[encryption.KEY]):
        inputs[encryption.KEY] = outputs[encryption.KEY]
    inputs[naming.DEFAULTS] = []
    return inputs


def _scan_on_push(inputs: Mapping[str, Value]) -> bool:
    scanning = unwrap(inputs.get("imageScanningConfiguration"))
    return isinstance(scanning, dict) and scanning.get("scanOnPush") is True
