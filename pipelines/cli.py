"""The commands: ``python -m pipelines <step>``, the same on a workstation and in any build system."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines import checking
from pipelines.errors import FAILED, StepError

_INTERRUPTED = 130
_STAGES = "lint unit"


def main(arguments: Sequence[str]) -> int:
    """Run one step and return the exit code: 0, 1 for what failed or was refused, 2 for wrong usage, 3 for drift."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except StepError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return FAILED
    except BrokenPipeError:
        return FAILED
    except OSError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr, flush=True)
        return _INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    if options.step == "check":
        checking.check(options.stages)
        return 0
    # A check runs on any Python. What works on a stack needs the program's packages.
    from pipelines import stack_steps  # noqa: PLC0415

    return stack_steps.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True, metavar="step")
    check = steps.add_parser("check", help="lint and test; needs neither the stack nor its secrets")
    check.add_argument("--stages", default=_STAGES, help=f"stages of `make test` (default: {_STAGES})")

    preview = _on_stack(steps, "preview", "show what would change: plan.json, summary.json, comment.md")
    preview.add_argument("--base", help="the commit or branch that the change goes into, to list changed files")
    preview.add_argument(
        "--host", choices=("github", "gitlab"), default="github", help="whose limit the comment keeps (github)"
    )
    comment = _on_stack(steps, "comment", "put comment.md on the pull or merge request, in place of the one before")
    comment.add_argument("--number", help="of the request; the pipeline's variables tell it where they can")
    apply = _on_stack(
        steps, "apply", "do what was previewed; refuse, and change nothing, if it would be something else"
    )
    verify = _on_stack(steps, "verify", "test from outside that the page answers and hashes grow: verified.json")
    verify.add_argument("--or-roll-back", action="store_true", help="roll back if it fails, verify that, and fail")
    _on_stack(steps, "rollback", "bring back the digests that ran before the last update")
    promote = _on_stack(steps, "promote", "let the stack deploy the digests that another one has verified")
    promote.add_argument(
        "--verified", type=Path, required=True, metavar="FILE", help="verified.json of the other stack"
    )
    _on_stack(steps, "drift", "tell what is not as the last update left it: drift.md, exit code 3")
    _on_stack(steps, "unlock", "clear the lock that a killed update of your own has left; never anybody else's")
    whole = _on_stack(steps, "deliver", "check, preview, apply, verify; roll back what fails; tell how long each took")
    whole.add_argument("--stages", default=_STAGES, help=f"what to check, or {checking.NONE} ({_STAGES})")
    whole.add_argument("--base", help="the commit that is deployed, to list changed files")
    for step in (preview, apply, whole):
        step.add_argument("--policy-pack", action="append", default=[], metavar="FOLDER", help="hold it to this pack")
        step.add_argument(
            "--policy-pack-config", action="append", default=[], metavar="FILE", help="levels and settings for the pack"
        )
    for step in (verify, whole):
        step.add_argument("--limit", type=float, default=120, help="seconds that the test from outside may take (120)")
        step.add_argument("--url", help="instead of webui_url; VERIFY_CREDENTIALS may hold user:password")
    return parser


def _on_stack(
    steps: argparse._SubParsersAction[argparse.ArgumentParser],  # pyright: ignore[reportPrivateUsage] - has no other name
    name: str,
    what: str,
) -> argparse.ArgumentParser:
    parser = steps.add_parser(name, help=what, description=what)
    parser.add_argument("--stack", required=True, help="dev, or organization/project/dev")
    parser.add_argument(
        "--files", type=Path, metavar="FOLDER", help="where steps leave files for each other (.pipeline/<stack>)"
    )
    return parser
