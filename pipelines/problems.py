"""What stands against a command of Pulumi, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipelines import locks
from pipelines.events import Run

_LONGEST: Final = 1500
_NOT_COME_TO: Final = "expected resource operations for "


@dataclass(frozen=True)
class _Known:
    """A failure that is known by its text. ``message`` may use the groups of ``pattern``."""

    pattern: re.Pattern[str]
    message: str


def _known(pattern: str, message: str) -> _Known:
    return _Known(re.compile(pattern, re.IGNORECASE | re.DOTALL), message)


# What is said when the state cannot be read or written. Requests of the program's own fail in other words.
_STATE: Final = r"operation error S3|performing HTTP request"
_UNREACHABLE: Final = (
    r"dial tcp[^\n]*|no such host|TLS handshake timeout|server gave HTTP response to HTTPS client|"
    r"tls: [^\n]*|x509: [^\n]*|context deadline exceeded[^\n]*|\bEOF\b"
)

_KNOWN: Final = (
    _known(
        r"passphrase must be set with",
        "there is no passphrase for the stack's secrets: put it in PULUMI_CONFIG_PASSPHRASE, from a secret of the "
        "pipeline (or its file's name in PULUMI_CONFIG_PASSPHRASE_FILE)",
    ),
    _known(
        r"incorrect passphrase",
        "the passphrase does not fit the stack's secrets: PULUMI_CONFIG_PASSPHRASE has to be the one that the stack "
        "was made with",
    ),
    _known(
        r"another update is currently in progress",
        "the stack is locked: another update runs. Wait for it; if it was killed, its holder clears the lock by "
        "`pulumi cancel`",
    ),
    _known(
        r"NoSuchBucket|could not list bucket: [^\n]*code=NotFound",
        "the bucket for the state is not there: look whether PULUMI_BACKEND_URL names the right bucket, endpoint and "
        "region. How one is made: pipelines/README.md, State and secrets",
    ),
    _known(
        rf"(?:{_STATE})[^\n]*?(?P<why>{_UNREACHABLE})",
        "the backend with the state cannot be reached ({why}): look whether PULUMI_BACKEND_URL is right, and whether "
        "that host answers from here",
    ),
    _known(
        rf"operation error KMS[^\n]*?(?P<why>{_UNREACHABLE})",
        "KMS, which has the key to the stack's secrets, cannot be reached ({why}): look at `secretsprovider` in the "
        "stack file, and whether that host answers from here",
    ),
    _known(
        r"operation error KMS[^\n]*?(?P<what>NotFoundException|DisabledException|KMSInvalidStateException|"
        r"KeyUnavailableException|IncorrectKeyException|InvalidCiphertextException|AccessDeniedException)(?P<why>[^\n]*)",
        "the key to the stack's secrets does not open them ({what}{why}): `secretsprovider` in the stack file has to "
        "name the KMS key that the stack was made with, enabled and not deleted, and the role needs kms:Decrypt for it",
    ),
    _known(
        r"(?P<what>ExpiredToken\w*|RequestExpired|security token included in the request is expired|token has expired|"
        r"InvalidClientTokenId|UnrecognizedClientException|token is expired)",
        "the credentials have expired ({what}): log in again, or let the pipeline ask for new ones, and run this step "
        "again",
    ),
    _known(
        r"operation error S3[^\n]*?(?P<what>InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken)\b",
        "the backend does not accept the credentials ({what}): log in again, or set those that belong to "
        "PULUMI_BACKEND_URL in AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    _known(
        r"operation error S3: (?P<what>\w+)[^\n]*? AccessDenied: (?P<why>[^\n]*)",
        "these credentials may not do that with the state ({what}): a preview needs "
        "pipelines/roles/aws-state-preview.json, an update aws-state-apply.json. {why}",
    ),
    _known(
        r"operation error S3[^\n]*?(?:AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint)"
        r"[:,]? ?(?P<why>[^\n]*)",
        "the bucket is in another region: set `region=` in PULUMI_BACKEND_URL. {why}",
    ),
    _known(
        r"unable to open (?:bucket|state directory) \"(?P<url>[^\"]*)\": (?P<why>[^\n]*)",
        "there is no backend at {url} ({why}): set PULUMI_BACKEND_URL to where the state is, for example "
        "s3://bucket?region=eu-west-1",
    ),
    _known(
        r"(?:Unauthorized: No credentials provided|invalid access token)",
        "Pulumi Cloud does not accept the token: it has expired, or was taken back. Make another one, and set it as "
        "PULUMI_ACCESS_TOKEN",
    ),
    _known(
        r"(?:no valid credential sources|unable to locate credentials|failed to refresh cached credentials)",
        "there are no AWS credentials: let the pipeline assume the role for this stack, or set AWS_PROFILE",
    ),
    _known(
        r"(?:violates plan|unexpected diff|resource is not in the plan|not in the plan)",
        "the plan is out of date: what would be done now is not what was previewed. Run `preview` again, have the "
        "change reviewed, and apply its plan",
    ),
    _known(
        r"(?P<line>registry \S+ has no (?:image|repository)[^\n]*)",
        "a digest is gone: {line}\nNothing that runs was changed. Deploy a digest that is there, or push it again from "
        "its commit (`images.source: build`)",
    ),
    _known(
        r"no stack named '(?P<stack>[^']*)' found",
        "there is no stack {stack!r} in the backend: make it by `pulumi stack init {stack}`, or look whether "
        "PULUMI_BACKEND_URL is the right one",
    ),
    _known(
        r"(?:PULUMI_ACCESS_TOKEN must be set|could not get cloud url|no credentials for)",
        "Pulumi is not logged in: set PULUMI_BACKEND_URL to where the state is, or PULUMI_ACCESS_TOKEN for Pulumi "
        "Cloud",
    ),
)


def explain(step: str, run: Run | None, output: str) -> str:
    """One message about a command of Pulumi that failed: the known cause and what to do, or what Pulumi said.

    ``output`` is what it printed on standard error, where it tells what kept the engine from starting.
    """
    mandatory = [finding for finding in run.findings if finding.level == "mandatory"] if run else []
    if mandatory:
        lines = "\n".join(f"- {item.resource}: {item.text} ({item.policy})" for item in mandatory)
        return f"{step} was refused by policy; nothing was changed. Meet each of these and run it again:\n{lines}"
    said = [*(run.errors if run else ()), output]
    text = "\n".join(said)
    if held := locks.read(text):
        return f"{step}: the stack is locked; nothing was changed by this step.\n{locks.told(held, locks.here())}"
    for known in _KNOWN:
        if match := known.pattern.search(text):
            groups = {name: (value or "").rstrip() for name, value in match.groupdict().items()}
            # A stack's name is shown as it would be typed.
            return f"{step}: {known.message.format_map(_Quoted(groups))}"
    return f"{step} failed: {_shortened(said)}"


class _Quoted(dict[str, str]):
    """Gives nothing for a group that did not match."""

    def __missing__(self, key: str) -> str:
        return ""


def _shortened(said: Sequence[str]) -> str:
    """What was said, from its first words on; the program's own message comes before the engine's summing up."""
    texts = dict.fromkeys(text.strip().removeprefix("error: ") for text in said if text.strip())
    lines = "\n".join(texts).splitlines()
    # An update that fails does not come to all that its plan has: that is no reason of its own.
    causes = [line for line in lines if not line.removeprefix("error: ").startswith(_NOT_COME_TO)]
    text = "\n".join(causes or lines) or "Pulumi gave no reason; its output above may"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … (the log has the rest)"
