"""Renews one pull secret, once.

Variables: ``SECRET_NAMESPACE`` and ``SECRET_NAME`` say which, ``REGISTRY_SERVER`` for which server, ``RETRY_SECONDS``
for how long somebody who does not answer is asked again; ``AWS_REGION`` and the pod's identity are those of AWS's SDKs
(:mod:`.aws`). Why a renewal failed stands in the log and in the pod's status
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NoReturn

from .aws import Aws, Token
from .cluster import Cluster, Target
from .outcomes import MisconfiguredError, RenewalError
from .patience import Patience
from .sigv4 import Credentials

_TERMINATION_LOG: Final = Path("/dev/termination-log")
_LONGEST_MESSAGE: Final = 4096  # bytes that the kubelet reads of it
_REFUSED_SECONDS: Final = 20.0  # for how long a refusal may be due to a change that is still on its way


def main(environment: Mapping[str, str], cluster: Cluster, patience: Patience, hide: Hidden) -> str:
    """Renew the secret, and say what was done.

    Raises:
        RenewalError: it was not renewed.
    """
    namespace, name, server = (
        _required(environment, key) for key in ("SECRET_NAMESPACE", "SECRET_NAME", "REGISTRY_SERVER")
    )
    target = Target(namespace, name, server)
    aws = Aws(environment, session_name=f"pull-secret.{namespace}")

    def renewed() -> Token:
        credentials = aws.credentials()
        hide.credentials(credentials)
        return aws.token(credentials)

    token = patience(renewed)
    hide.add(token.password)
    patience(lambda: cluster.put(target, token, datetime.now(UTC)))
    until = f" until {token.expires:%Y-%m-%d %H:%M} UTC" if token.expires else ""
    return f"renewed: Secret {target.namespace}/{target.name} logs in to {target.server}{until}"


class Hidden:
    """What no message may show. AWS quotes a request that it refuses, with the session's token in it."""

    def __init__(self) -> None:
        """Hide nothing yet."""
        self._texts: set[str] = set()

    def add(self, *texts: str | None) -> None:
        """Hide these texts from now on."""
        self._texts.update(text for text in texts if text)

    def credentials(self, credentials: Credentials) -> None:
        """Hide what proves who signs."""
        self.add(credentials.secret_access_key, credentials.session_token)

    def __call__(self, message: str) -> str:
        """The message without them."""
        for text in self._texts:
            message = message.replace(text, "(hidden)")
        return message


def _required(environment: Mapping[str, str], key: str) -> str:
    value = environment.get(key, "")
    if not value:
        raise MisconfiguredError(f"{key} is not set")
    return value


def _seconds(environment: Mapping[str, str]) -> float:
    value = _required(environment, "RETRY_SECONDS")
    if not value.isdecimal():
        raise MisconfiguredError(f"RETRY_SECONDS is {value!r}: expected whole seconds")
    return float(value)


def run(environment: Mapping[str, str], termination_log: Path) -> int:
    """Renew the secret, tell the outcome, and return the exit code."""
    hide = Hidden()

    def tell(message: str) -> None:
        print(hide(message), flush=True)

    def tell_failure(message: str) -> None:
        tell(message)
        # A pod that is stopped while it still tries says at least what it met last.
        _write(termination_log, hide(message))

    try:
        patience = Patience(_seconds(environment), _REFUSED_SECONDS, tell_failure)
        done = main(environment, Cluster.around(environment), patience, hide)
    except RenewalError as error:
        tell_failure(str(error))
        return 1
    _write(termination_log, "")
    tell(done)
    return 0


def _write(termination_log: Path, message: str) -> None:
    # The kubelet makes the file; where there is none, nobody reads it.
    with suppress(OSError), termination_log.open("r+b") as file:
        file.write(message.encode()[:_LONGEST_MESSAGE])
        file.truncate()


def _stop(_number: int, _frame: object) -> NoReturn:
    # The first process of a container is not ended by a signal that it does not handle.
    sys.exit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(run(os.environ, _TERMINATION_LOG))
