"""How images are encrypted at rest: in repositories, and in those that a template makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from ..protocol.provider import Failure
from ..protocol.values import Properties, Value, contains_unknown, get_string
from . import inputs as checks

if TYPE_CHECKING:
    from types_boto3_ecr.type_defs import (
        EncryptionConfigurationForRepositoryCreationTemplateTypeDef,
        EncryptionConfigurationTypeDef,
    )

    _Answer: TypeAlias = EncryptionConfigurationTypeDef | EncryptionConfigurationForRepositoryCreationTemplateTypeDef

KEY: Final = "encryptionConfigurations"

_DEFAULT: Final = "AES256"
_KINDS: Final = (_DEFAULT, "KMS", "KMS_DSSE")


def failures(inputs: Mapping[str, Value]) -> list[Failure]:
    """What of the input is not accepted."""
    found = checks.at_most(KEY, inputs.get(KEY), 1)
    for index, entry in enumerate(checks.objects(inputs.get(KEY))):
        found += checks.choice(f"{KEY}[{index}].encryptionType", entry.get("encryptionType"), _KINDS)
    return found


def request(inputs: Mapping[str, Value]) -> EncryptionConfigurationTypeDef:
    """What the inputs ask for, as a request names it."""
    for entry in checks.objects(inputs.get(KEY)):
        wanted: EncryptionConfigurationTypeDef = {
            "encryptionType": cast("Literal['AES256', 'KMS']", entry.get("encryptionType") or _DEFAULT)
        }
        if key := get_string(entry, "kmsKey"):
            wanted["kmsKey"] = key
        return wanted
    return {"encryptionType": _DEFAULT}


def output(answer: _Answer | None) -> Properties:
    """What there is, as the outputs show it."""
    return {
        "encryptionType": answer.get("encryptionType", _DEFAULT) if answer else _DEFAULT,
        "kmsKey": answer.get("kmsKey", "") if answer else "",
    }


def is_default(value: Value) -> bool:
    """Whether an output shows what is there when nothing was asked for."""
    return value == [{"encryptionType": _DEFAULT, "kmsKey": ""}]


def comparable(value: Value, wanted: Value) -> Value:
    """A value of the input in one form, to be compared with a wanted one.

    A default is the same whether it is written out or left out. AWS chooses a key where the program wants KMS and
    names none: then any key is the wanted one.
    """
    if contains_unknown(value):
        return value
    if not checks.objects(value):
        return [{"encryptionType": _DEFAULT}] if wanted is not None else None
    any_key = not any(entry.get("kmsKey") for entry in checks.objects(wanted))
    return [
        {
            "encryptionType": entry.get("encryptionType", _DEFAULT),
            **({} if any_key else {"kmsKey": entry.get("kmsKey") or ""}),
        }
        for entry in checks.objects(value)
    ]
