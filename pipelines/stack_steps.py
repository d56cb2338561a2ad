"""The steps that work on a stack, each with its files and what it tells."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from functools import partial

from pipelines import checking, drifting, hosts, locks, previewing, promoting, unlocking, verifying
from pipelines.artifacts import Artifacts
from pipelines.comment import marker
from pipelines.delivering import Steps, deliver
from pipelines.engine import Pulumi, here
from pipelines.errors import DIFFERS, StepError
from pipelines.events import Run
from pipelines.markdown import unfolded
from pipelines.recovering import or_roll_back

CREDENTIALS = "VERIFY_CREDENTIALS"
"""The variable with ``user:password`` for the page, where the way to it asks for one."""


def run(options: argparse.Namespace) -> int:
    """Run one step, and return its exit code.

    Raises:
        StepError: it failed, or refused.
    """
    pulumi = here(options.stack)
    files = Artifacts(options.files or previewing.default_folder(options.stack))
    if options.step == "drift":
        return _drift(pulumi, files)
    policies = [
        part
        for option in ("policy_pack", "policy_pack_config")
        for value in getattr(options, option, ())
        for part in (f"--{option.replace('_', '-')}", value)
    ]
    match options.step:
        case "preview":
            limit = previewing.limit_of(options.host)
            _tell(_counted(previewing.preview(pulumi, files, base=options.base, limit=limit, policies=policies)))
            _tell(f"the comment, the plan and the summary are in {files.folder}")
        case "comment":
            _comment(options, files)
        case "apply":
            previewing.apply(pulumi, files, policies=policies)
            _tell(f"{options.stack} is updated as it was previewed; `verify` tells whether it works")
        case "verify":
            verify = partial(_verify, options, pulumi, files)
            if options.or_roll_back:
                or_roll_back(verify, partial(_roll_back_and_verify, options, pulumi, files), _tell)
            else:
                verify()
            _tell(f"{options.stack} works; its digests are in {files.verified}")
        case "deliver":
            _deliver(options, pulumi, files, policies)
        case "rollback":
            _told_back(pulumi, files)
        case "unlock":
            cleared = unlocking.unlock(pulumi, locks.here())
            told = f"cleared {len(cleared)} stale locks; preview again, as the killed update may have done a part"
            _tell(told if cleared else f"{options.stack} is not locked")
        case _:
            images = promoting.promote(pulumi, options.verified)
            _tell(f"{options.stack} is to run {len(images)} images that are verified; preview and apply it")
    return 0


def _deliver(options: argparse.Namespace, pulumi: Pulumi, files: Artifacts, policies: Sequence[str]) -> None:
    def preview() -> None:
        limit = previewing.limit_of("github")
        run = previewing.preview(pulumi, files, base=options.base, limit=limit, policies=policies)
        _tell(f"{_counted(run)}\n\n{unfolded(files.comment.read_text())}\n")

    def apply() -> None:
        previewing.apply(pulumi, files, policies=policies)

    steps = Steps(
        None if options.stages == checking.NONE else partial(checking.check, options.stages),
        preview,
        apply,
        verify=partial(_verify, options, pulumi, files),
        roll_back=partial(_roll_back_and_verify, options, pulumi, files),
    )
    deliver(pulumi.stack, steps, _tell)
    _tell(f"\n{pulumi.stack} works; its digests are in {files.verified}")


def _verify(options: argparse.Namespace, pulumi: Pulumi, files: Artifacts) -> None:
    credentials = os.environ.get(CREDENTIALS) or None
    verifying.verify(pulumi, files, limit=options.limit, url=options.url, credentials=credentials, tell=_tell)


def _roll_back_and_verify(options: argparse.Namespace, pulumi: Pulumi, files: Artifacts) -> None:
    _told_back(pulumi, files)
    _verify(options, pulumi, files)
    # What works now is not what was to be verified, and nothing to promote.
    files.verified.unlink(missing_ok=True)


def _told_back(pulumi: Pulumi, files: Artifacts) -> None:
    images = promoting.roll_back(pulumi, files)
    _tell("\n".join([f"{pulumi.stack} runs these again:", *(f"  {image}" for image in images.values())]))


def _comment(options: argparse.Namespace, files: Artifacts) -> None:
    try:
        text = files.comment.read_text()
    except FileNotFoundError:
        raise StepError(f"there is no {files.comment}: run `preview --stack {options.stack}` first") from None
    if not text.startswith(marker(options.stack)):
        raise StepError(f"{files.comment} is not about the stack {options.stack}: run `preview` again")
    where = hosts.host(os.environ, options.number)
    _tell(f"the comment on {where.name} is {where.put(marker(options.stack), text)}")


def _drift(pulumi: Pulumi, files: Artifacts) -> int:
    report = drifting.drift(pulumi, files, drifting.find_in_registry(os.environ))
    text = report.text(pulumi.stack)
    (files.folder / "drift.md").write_text(text)
    _tell(f"\n{text}")
    return 0 if report.is_clean else DIFFERS


def _counted(run: Run) -> str:
    changes = len(run.changes)
    return f"{changes} changes would be made" if changes else "nothing would change"


def _tell(text: str) -> None:
    print(text, flush=True)
