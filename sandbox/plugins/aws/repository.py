"""`aws:ecr/repository:Repository`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, cast

from botocore.exceptions import ClientError

from ..protocol.diff import ChangeKind, Diff, compare
from ..protocol.provider import (
    AutonamingMode,
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
from ..protocol.values import UNKNOWN, Properties, Unknown, Value, contains_unknown, get_string, unwrap
from . import tags as tagging
from .session import Session, error_code, one_line_errors

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import (
        CreateRepositoryRequestTypeDef,
        EncryptionConfigurationTypeDef,
        ImageTagMutabilityExclusionFilterTypeDef,
        PutImageTagMutabilityRequestTypeDef,
        RepositoryTypeDef,
    )

Mutability = Literal["IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE", "MUTABLE_WITH_EXCLUSION"]

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
_DEFAULTS: Final = "__defaults"
"""Names the inputs that the program left out, as the official plugin keeps it: a name made here is kept."""

_NAME: Final = re.compile(
    r"(?=.{2,256}\Z)(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z"
)
_MUTABILITIES: Final = ("MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION")
_RANDOM_DIGITS: Final = 7
_REPLACED_BY: Final = ("name", "encryptionConfigurations", "region")
_DEFAULT_ENCRYPTION: Final = "AES256"
# AWS always has a value for these: a program that no longer names them accepts the one that is there.
_KEPT_WHEN_LEFT_OUT: Final = frozenset({"encryptionConfigurations", "imageScanningConfiguration"})


class Repository:
    """Repositories for images; the id is the repository's name."""

    def __init__(self, session: Session) -> None:
        """Serve the account of this session."""
        self._session = session

    def check(self, request: CheckRequest) -> CheckResult:
        """Validate the inputs, name the repository, and merge the provider's default tags in."""
        inputs = {key: value for key, value in request.inputs.items() if key != _DEFAULTS}
        found = _failures(inputs)
        defaults: list[Value] = []
        checked: Properties = dict(inputs)
        if "imageTagMutability" not in inputs:
            checked["imageTagMutability"] = "MUTABLE"
            defaults.append("imageTagMutability")
        if "name" not in inputs:
            name = _automatic_name(request)
            if isinstance(name, Failure):
                found.append(name)
            else:
                checked["name"] = name
                defaults.append("name")
        tags = tagging.merged(self._session.default_tags, unwrap(inputs.get("tags")))
        if tags is not None:
            checked["tags"] = tags
        return CheckResult({**checked, _DEFAULTS: defaults}, found)

    def diff(self, request: DiffRequest) -> Diff:
        """A change of name, encryption or region replaces the repository; the rest is changed in place."""
        diff = compare(
            _comparable(request.old_inputs, request.inputs),
            _comparable(request.inputs, request.inputs),
            replace_on=_REPLACED_BY,
            ignore=(_DEFAULTS,),
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
            "imageTagMutability": _mutability(inputs),
            "imageScanningConfiguration": {"scanOnPush": _scan_on_push(inputs)},
            "encryptionConfiguration": _encryption(inputs),
            "tags": [{"Key": key, "Value": value} for key, value in tagging.texts(inputs.get("tags")).items()],
        }
        if filters := _filters(inputs):
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
            if (_mutability(old), _filters(old)) != (_mutability(new), _filters(new)):
                wanted: PutImageTagMutabilityRequestTypeDef = {
                    "repositoryName": name,
                    "imageTagMutability": _mutability(new),
                }
                if filters := _filters(new):
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
            "encryptionConfigurations": [encryption_output(repository)],
            "id": name,
            "imageScanningConfiguration": {"scanOnPush": scan_output(repository)},
            "imageTagMutability": repository.get("imageTagMutability", "MUTABLE"),
            "name": name,
            "region": get_string(inputs, "region") or self._session.region,
            "registryId": repository.get("registryId", ""),
            "repositoryUrl": repository.get("repositoryUri", ""),
            "tagsAll": all_tags,
        }
        if filters := filters_output(repository):
            outputs["imageTagMutabilityExclusionFilters"] = filters
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


def encryption_output(repository: RepositoryTypeDef) -> Properties:
    """A repository's encryption, as the outputs show it."""
    encryption = repository.get("encryptionConfiguration")
    return {
        "encryptionType": encryption.get("encryptionType", _DEFAULT_ENCRYPTION) if encryption else _DEFAULT_ENCRYPTION,
        "kmsKey": encryption.get("kmsKey", "") if encryption else "",
    }


def scan_output(repository: RepositoryTypeDef) -> bool:
    """Whether a repository scans every image that is pushed."""
    return bool(repository.get("imageScanningConfiguration", {}).get("scanOnPush", False))


def filters_output(repository: RepositoryTypeDef) -> list[Value]:
    """The tags that a repository excepts from its mutability, as the outputs show them."""
    return [
        {"filter": entry["filter"], "filterType": entry["filterType"]}
        for entry in repository.get("imageTagMutabilityExclusionFilters", [])
    ]


def _failures(inputs: Properties) -> list[Failure]:
    found = [
        Failure(key, f"not an input of {TYPE}; accepted are {', '.join(sorted(_INPUTS))}")
        for key in inputs
        if key not in _INPUTS
    ]
    name = unwrap(inputs.get("name"))
    if isinstance(name, str) and not _NAME.match(name):
        found.append(
            Failure(
                "name",
                f"expected 2 to 256 lower case letters, digits, . _ - and /, as team/app, received {name!r}",
            )
        )
    mutability = unwrap(inputs.get("imageTagMutability"))
    if mutability is not None and not isinstance(mutability, Unknown) and mutability not in _MUTABILITIES:
        found.append(Failure("imageTagMutability", f"expected {', '.join(_MUTABILITIES)}, received {mutability!r}"))
    filters = inputs.get("imageTagMutabilityExclusionFilters")
    if filters and isinstance(mutability, str | None) and not str(mutability).endswith("_WITH_EXCLUSION"):
        found.append(
            Failure(
                "imageTagMutabilityExclusionFilters",
                f"needs imageTagMutability to be one of *_WITH_EXCLUSION, received {mutability!r}",
            )
        )
    for encryption in _objects(inputs.get("encryptionConfigurations")):
        kind = encryption.get("encryptionType")
        if kind not in (None, "AES256", "KMS", "KMS_DSSE") and not isinstance(kind, Unknown):
            found.append(
                Failure("encryptionConfigurations[0].encryptionType", f"expected AES256 or KMS, received {kind!r}")
            )
    tags = unwrap(inputs.get("tags"))
    if not isinstance(tags, dict | Unknown | None):
        found.append(Failure("tags", f"expected an object of key to text, received {tags!r}"))
    return found


def _automatic_name(request: CheckRequest) -> str | Failure:
    old = request.old_inputs or {}
    old_defaults = old.get(_DEFAULTS)
    old_name = get_string(old, "name")
    if old_name and isinstance(old_defaults, list) and "name" in old_defaults:
        return old_name
    naming = request.autonaming
    if naming is not None and naming.mode is AutonamingMode.DISABLE:
        return Failure("name", "missing, and automatic naming is disabled (pulumi:autonaming)")
    if naming is not None and naming.proposed_name:
        return naming.proposed_name
    return f"{request.name}-{request.random_seed.hex()[:_RANDOM_DIGITS]}"


def _comparable(inputs: Properties, wanted: Mapping[str, Value]) -> Properties:
    """The inputs in one form: a default is the same whether it is written out or left out.

    AWS chooses a key where the program wants KMS and names none: then any key is the wanted one.
    """
    comparable = dict(inputs)
    encryption = inputs.get("encryptionConfigurations")
    any_key = not any(chosen.get("kmsKey") for chosen in _objects(wanted.get("encryptionConfigurations")))
    if encryption is not None and not contains_unknown(encryption):
        comparable["encryptionConfigurations"] = [
            {
                "encryptionType": chosen.get("encryptionType", _DEFAULT_ENCRYPTION),
                **({} if any_key else {"kmsKey": chosen.get("kmsKey") or ""}),
            }
            for chosen in _objects(encryption)
        ]
    elif encryption is None and "encryptionConfigurations" in wanted:
        comparable["encryptionConfigurations"] = [{"encryptionType": _DEFAULT_ENCRYPTION}]
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
    if outputs["encryptionConfigurations"] != [{"encryptionType": _DEFAULT_ENCRYPTION, "kmsKey": ""}]:
        inputs["encryptionConfigurations"] = outputs["encryptionConfigurations"]
    inputs[_DEFAULTS] = []
    return inputs


def _mutability(inputs: Mapping[str, Value]) -> Mutability:
    return cast("Mutability", get_string(inputs, "imageTagMutability") or "MUTABLE")


def _scan_on_push(inputs: Mapping[str, Value]) -> bool:
    scanning = unwrap(inputs.get("imageScanningConfiguration"))
    return isinstance(scanning, dict) and scanning.get("scanOnPush") is True


def _encryption(inputs: Mapping[str, Value]) -> EncryptionConfigurationTypeDef:
    for chosen in _objects(inputs.get("encryptionConfigurations")):
        encryption: EncryptionConfigurationTypeDef = {
            "encryptionType": cast("Literal['AES256', 'KMS']", chosen.get("encryptionType") or _DEFAULT_ENCRYPTION)
        }
        if key := get_string(chosen, "kmsKey"):
            encryption["kmsKey"] = key
        return encryption
    return {"encryptionType": "AES256"}


def _filters(inputs: Mapping[str, Value]) -> list[ImageTagMutabilityExclusionFilterTypeDef]:
    return [
        {"filter": get_string(entry, "filter") or "", "filterType": "WILDCARD"}
        for entry in _objects(inputs.get("imageTagMutabilityExclusionFilters"))
    ]


def _objects(value: Value) -> list[Properties]:
    unwrapped = unwrap(value)
    return [item for item in unwrapped if isinstance(item, dict)] if isinstance(unwrapped, list) else []
