"""What the resources of a whole registry have in common: its rules, its templates and its settings."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from ..protocol.values import Properties, Value, get_string
from .resource import AwsResource

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient


class RegistryResource(AwsResource["ECRClient"], ABC):
    """Resources of the registry that the account has in a region, the provider's or the one of the input `region`."""

    local: ClassVar[frozenset[str]] = frozenset({"region"})
    computed: ClassVar[tuple[str, ...]] = ("registryId",)

    def client(self, inputs: Mapping[str, Value]) -> ECRClient:
        """The client of the region's registry."""
        return self._session.ecr(get_string(inputs, "region") or "")

    def place(self, inputs: Mapping[str, Value]) -> str:
        """The account and the region."""
        account = f"account {self._session.account}, " if self._session.account else ""
        return f"{account}region {self._region(inputs)}"

    def implied(self) -> Mapping[str, Value]:
        """The defaults, and the provider's region."""
        return {**super().implied(), "region": self._session.region}

    def complete(self, inputs: Mapping[str, Value], live: Properties) -> Properties:
        """The outputs of the live one with the region."""
        return {**super().complete(inputs, live), "region": self._region(inputs)}

    def foreseen(self, inputs: Properties, old_outputs: Mapping[str, Value]) -> Properties:
        """The outputs as far as they are known before AWS is asked; the region is."""
        return {**super().foreseen(inputs, old_outputs), "region": inputs.get("region") or self._session.region}

    def _region(self, inputs: Mapping[str, Value]) -> str:
        return get_string(inputs, "region") or self._session.region
