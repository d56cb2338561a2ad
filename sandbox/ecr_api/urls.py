"""The addresses of the service, as moto wants to be told them."""

from moto.ecr.urls import url_bases as url_bases  # noqa: PLC0414 - moto reads it here

from .responses import EcrResponse

url_paths = {"{0}/$": EcrResponse.dispatch}
