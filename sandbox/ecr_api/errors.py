"""What ECR refuses, by the error codes of its model."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class EcrError(ServiceException):
    """An error of ECR: its code, as `TemplateNotFoundException`, and its message.

    moto looks an error's code up in the model of the service in whose package the class is; a class of moto's core is
    in none.
    """

    def __init__(self, code: str, message: str) -> None:
        """Say what is refused."""
        super().__init__(code, message)


def invalid(parameter: str, constraint: str) -> EcrError:
    """The error for a parameter that breaks a rule."""
    return EcrError(
        "InvalidParameterException",
        f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'",
    )
