"""The steps ``preview`` and ``apply``: what was previewed is what is applied, or nothing is."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipelines import artifacts, problems, summary
from pipelines.artifacts import Artifacts
from pipelines.changed_files import changed_files, commit
from pipelines.changes import understand
from pipelines.comment import LIMITS, Subject, render
from pipelines.engine import Pulumi
from pipelines.errors import ChangedError, StepError
from pipelines.events import Run
from pipelines.plans import let_tokens_change

_MOST_DEPARTURES: Final = 20


def preview(pulumi: Pulumi, files: Artifacts, *, base: str | None, limit: int, policies: Sequence[str]) -> Run:
    """Preview the stack, and leave the plan, the comment and the summary; ``base`` is what a request goes into.

    The comment and the summary are there after a preview that failed, too: they say why.

    Raises:
        StepError: the preview failed.
    """
    for stale in (files.plan, files.summary, files.comment):
        stale.unlink(missing_ok=True)
    unfinished = files.plan.with_name(f"{files.plan.name}.part")
    done = pulumi.operation("preview", files.events, "--save-plan", str(unfinished.resolve()), *policies)
    run = done.run if done.exit_code == 0 else replace(done.run, finished=False)
    subject = Subject(pulumi.stack, commit(pulumi.folder), plan=run.finished)
    if run.finished and base:
        contexts = {image.context for image in understand(run).images if image.context}
        subject = replace(subject, files=changed_files(base, sorted(contexts), pulumi.folder))
    if run.finished:
        artifacts.write(files.plan, let_tokens_change(json.loads(unfinished.read_text())))
        files.plan.chmod(0o600)
    unfinished.unlink(missing_ok=True)
    artifacts.write(files.summary, summary.document(run, subject))
    files.comment.write_text(render(run, subject, limit))
    if not run.finished:
        raise StepError(problems.explain("the preview", done.run, done.said))
    return run


def apply(pulumi: Pulumi, files: Artifacts, *, policies: Sequence[str]) -> Run:
    """Do what was previewed, and note the images that ran before, for a rollback.

    The engine holds each resource to the plan, but does so one by one: it would have changed some before it comes to
    one that departs from it. So what would be done now is compared with what was previewed before anything is.

    Raises:
        ChangedError: the update failed after it had begun to change something.
        StepError: something else would be done now, or the update failed before; nothing was changed.
    """
    reviewed = artifacts.read(files.summary, f"preview --stack {pulumi.stack}")
    artifacts.read(files.plan, f"preview --stack {pulumi.stack}")
    if reviewed.get("version") != summary.VERSION or not reviewed.get("succeeded"):
        raise StepError(f"{files.summary} is not of a preview that succeeded: run `preview` again")
    if reviewed.get("stack") != pulumi.stack:
        raise StepError(f"{files.summary} is about the stack {reviewed.get('stack')!r}, and not {pulumi.stack!r}")
    now = pulumi.succeed("preview", files.events, "--suppress-outputs", *policies)
    if departures := summary.departures(reviewed, now):
        listed = "\n".join(f"- {line}" for line in departures[:_MOST_DEPARTURES])
        more = len(departures) - _MOST_DEPARTURES
        raise StepError(
            "the plan is out of date: the program, its settings or the stack have changed since the preview. Nothing "
            f"was changed. Run `preview` again, have it reviewed, and apply that.\n{listed}"
            + (f"\n- and {more} more" if more > 0 else "")
        )
    images = pulumi.images()
    artifacts.write(files.good, {"stack": pulumi.stack, "images": images})
    plan = str(files.plan.resolve())
    done = pulumi.operation("up", files.events, "--yes", "--skip-preview", "--plan", plan, *policies)
    if done.exit_code == 0:
        return done.run
    failure = problems.explain("pulumi up", done.run, done.said)
    if not done.run.changes:
        raise StepError(failure)
    # The stack's outputs still name the images of before, and do not tell that others may run.
    artifacts.write(files.good, {"stack": pulumi.stack, "images": images, "unfinished": True})
    raise ChangedError(f"{failure}\nThe update stopped midway, with a part of it done")


def limit_of(host: str) -> int:
    """The characters that a comment may have on this host."""
    return LIMITS[host]


def default_folder(stack: str) -> Path:
    """Where a stack's files go: below ``DOCKERCOINS_PIPELINE``, or ``.pipeline``."""
    return Path(os.environ.get("DOCKERCOINS_PIPELINE", ".pipeline")) / stack.replace("/", "-")
