"""The step ``deliver``: all steps from a commit to a version that works, one after the other, with their times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pipelines.errors import ChangedError, StepError
from pipelines.recovering import or_roll_back
from pipelines.timeline import Tell, Timeline

_STEPS = ("check", "preview", "apply", "verify")


@dataclass(frozen=True)
class Steps:
    """What each step does; it raises :class:`~pipelines.errors.StepError` if it fails."""

    check: Callable[[], None] | None
    """None where something else has done so."""
    preview: Callable[[], None]
    apply: Callable[[], None]
    """Raises :class:`~pipelines.errors.ChangedError` if it fails midway."""
    verify: Callable[[], None]
    roll_back: Callable[[], None]
    """Brings back what ran before, and verifies it."""


def deliver(stack: str, steps: Steps, tell: Tell) -> None:
    """Check, preview, apply and verify. What fails after the stack was changed is rolled back.

    The timeline is told at the end, a delivery that failed too.

    Raises:
        ChangedError: a step failed after the stack was changed; the message says whether it is rolled back.
        StepError: a step failed, and the stack is as it was.
    """
    timeline = Timeline(tell)

    def run(name: str, doing: str, step: Callable[[], None]) -> None:
        try:
            with timeline.step(name, doing):
                step()
        except ChangedError as failure:
            raise ChangedError(_at(name, stack, failure)) from None
        except StepError as failure:
            raise StepError(_at(name, stack, failure)) from None

    def go_back() -> None:
        with timeline.step("roll back", f"rolling {stack} back"):
            steps.roll_back()

    try:
        if steps.check:
            run("check", "checking the commit", steps.check)
        else:
            timeline.left_out("check")
        run("preview", f"previewing {stack}", steps.preview)
        try:
            run("apply", f"applying to {stack} what was previewed", steps.apply)
            verify = partial(run, "verify", f"verifying {stack}", steps.verify)
        except ChangedError as unfinished:
            verify = _raising(unfinished)
        or_roll_back(verify, go_back, tell)
    except ChangedError:
        raise
    except StepError as failure:
        raise StepError(f"{failure}\n{stack} is as it was: nothing was changed") from None
    finally:
        tell(f"\n{timeline.table(_STEPS)}")


def _at(name: str, stack: str, failure: StepError) -> str:
    return f"the delivery to {stack} ended at `{name}`: {failure}"


def _raising(error: StepError) -> Callable[[], None]:
    def attempt() -> None:
        raise error

    return attempt
