"""What tests of several files need."""

from tests.plugins.conftest import repository

__all__ = ["repository"]
