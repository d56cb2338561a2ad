"""The comment on a pull or merge request: what a change does to the running system, in Markdown.

It is the same text for the same preview, so that a comment is updated only when it says something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipelines import markdown
from pipelines.changes import Changes, ImageChange, Rollout, is_provider, shown, understand
from pipelines.events import Finding, Message, Run, Step
from pipelines.markdown import code, folded, listed, plural, table, turn

LIMITS: Final = {"github": 65_536, "gitlab": 1_000_000}
"""Characters that a comment may have: GitHub's API refuses a longer body, GitLab's limits are told at
https://docs.gitlab.com/administration/instance_limits/#size-of-comments-and-descriptions-of-issues-merge-requests-and-epics."""

_OPERATIONS: Final = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "import": "taken over",
    "drift": "found to be otherwise",
}
_FILES_SHOWN: Final = 20


@dataclass(frozen=True)
class Subject:
    """What was previewed: a stack, and a commit if it is known.

    ``files`` are those that changed in each folder of :attr:`~pipelines.changes.ImageChange.context`, as ``M name``.
    ``plan`` tells whether the plan was saved, so that an update does this and nothing else.
    """

    stack: str
    commit: str = ""
    files: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    plan: bool = False


def marker(stack: str) -> str:
    """The hidden line by which the comment about a stack is found again."""
    name = "".join(character for character in stack if character.isalnum() or character in "-_./")
    return f"<!-- dockercoins preview: {name.replace('--', '-')} -->"


def render(run: Run, subject: Subject, limit: int) -> str:
    """The comment about a preview, of at most ``limit`` characters; details go first where there are too many."""
    changes = understand(run)
    for details in (_every_difference, _every_resource, _no_details):
        text = _text(run, changes, subject, details)
        if len(text) <= limit:
            return text
    end = "\n\n_The rest does not fit into a comment: the pipeline's log has all of it._\n"
    # Cut where a line ends, so that no span or row is left open.
    kept = text[: limit - len(end)].rpartition("\n")[0]
    return f"{kept}{_closed(kept)}{end}"[:limit]


def _text(run: Run, changes: Changes, subject: Subject, details: Callable[[Changes], str]) -> str:
    parts = [
        f"{marker(subject.stack)}\n### {_title(run, changes, subject)}",
        _verdict(run, changes),
        _problems(run.messages),
        _policies(run.findings),
        _deleted(changes),
        _images(changes.images, subject.files),
        _rollouts(changes.rollouts),
        details(changes),
        _warnings(run.messages),
        _foot(run, subject),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _title(run: Run, changes: Changes, subject: Subject) -> str:
    stack = code(subject.stack)
    if not run.finished:
        return f"The preview of {stack} failed"
    return f"This changes {stack}" if changes.steps else f"Nothing changes in {stack}"


def _verdict(run: Run, changes: Changes) -> str:
    if not run.finished:
        return "Nothing was changed, and nothing will be before the preview succeeds."
    if not changes.steps:
        return f"All {plural(changes.unchanged, 'resource')} are as the program says; no pod restarts."
    sentences = [_about_pods(changes.rollouts)]
    if new := [image for image in changes.images if image.has_new_content]:
        names = listed([code(image.name) for image in new])
        sentences.insert(0, f"{plural(len(new), 'image')} will be built: {names}.")
    elif moved := [image for image in changes.images if image.is_new]:
        sentences.insert(0, f"{plural(len(moved), 'image')} will be pushed to another repository, with equal content.")
    counted = [
        f"{changes.count(operation)} {word}" for operation, word in _OPERATIONS.items() if changes.count(operation)
    ]
    sentences.append(f"Resources: {', '.join(counted)}, {changes.unchanged} as they are.")
    return " ".join(sentences)


def _about_pods(rollouts: Sequence[Rollout]) -> str:
    rolling = [rollout for rollout in rollouts if rollout.rolls == "yes"]
    maybe = [rollout for rollout in rollouts if rollout.rolls == "maybe"]
    if rolling:
        return f"**New pods for {listed([code(rollout.name) for rollout in rolling])}.**"
    if maybe:
        return f"Perhaps new pods for {listed([code(rollout.name) for rollout in maybe])}."
    return "No running pod restarts."


def _problems(messages: Sequence[Message]) -> str:
    errors = [_said(message) for message in messages if message.severity == "error"]
    return f"**Why it failed:**\n\n{markdown.block(_joined(errors))}" if errors else ""


def _policies(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    rows = [
        [finding.level, code(finding.policy), code(finding.resource), code(finding.text, longest=400)]
        for finding in sorted(findings, key=lambda finding: (finding.level != "mandatory", finding.policy))
    ]
    return f"#### Policies\n\n{table(['level', 'policy', 'resource', 'finding'], rows)}"


# The aws plugin replaces it for each change of its text, and there is nothing else in it to lose:
# https://github.com/hashicorp/terraform-provider-aws/issues/49624
_IS_ONLY_TEXT: Final = frozenset({("replace", "LifecyclePolicy")})


def _deleted(changes: Changes) -> str:
    gone = [
        step
        for step in changes.of("delete", "replace")
        if not is_provider(step) and (step.operation, step.kind) not in _IS_ONLY_TEXT
    ]
    if not gone:
        return ""
    by_kind: dict[tuple[str, str], list[str]] = {}
    for step in gone:
        by_kind.setdefault((step.operation, step.kind), []).append(step.name)
    lines: list[str] = []
    for (operation, kind), names in sorted(by_kind.items()):
        what = f"{kind} {listed([code(name) for name in names])}"
        with_it = {"Repository": ", with the images in it", "PersistentVolumeClaim": ", with the data in it"}.get(kind)
        lines.append(f"- {_OPERATIONS[operation]}: {what}{with_it or ''}")
    return "#### What goes away\n\n" + "\n".join(lines)


def _images(images: Sequence[ImageChange], files: Mapping[str, Sequence[str]]) -> str:
    named = [image for image in images if image.is_new]
    if not named:
        return ""
    rows = [[code(image.name), _causes(image), _tag(image.before), _tag(image.after)] for image in named]
    parts = [f"#### Images\n\n{table(['image', 'what changed', 'now', 'then'], rows)}"]
    for image in named:
        if image.has_new_content and (changed := files.get(image.context)):
            shown_files = [f"- {code(name, longest=200)}" for name in changed[:_FILES_SHOWN]]
            if len(changed) > _FILES_SHOWN:
                shown_files.append(f"- and {len(changed) - _FILES_SHOWN} more")
            parts.append(folded(f"{plural(len(changed), 'file')} of {image.name}", "\n".join(shown_files)))
    return "\n\n".join(parts)


def _causes(image: ImageChange) -> str:
    found: list[str] = []
    for cause in image.causes:
        if cause.what == "content":
            found.append(f"files in {code(image.context)}")
        elif cause.before or cause.after:
            found.append(f"{cause.what}: {turn(cause.before, cause.after)}")
        else:
            found.append(cause.what)
    return "<br>".join(found) or "what it is named by"


def _tag(name: str) -> str:
    return code(name.rpartition(":")[2]) if name else "none"


def _rollouts(rollouts: Sequence[Rollout]) -> str:
    rows = [[code(rollout.name), _what(rollout), _why(rollout)] for rollout in rollouts]
    told = [row for row in rows if row[1]]
    return f"#### Deployments\n\n{table(['Deployment', 'what happens to its pods', 'why'], told)}" if told else ""


def _what(rollout: Rollout) -> str:
    if rollout.operation == "create":
        return (
            f"{plural(rollout.pods_after, 'pod')} will start" if rollout.pods_after is not None else "pods will start"
        )
    if rollout.operation == "delete":
        return "all of them end"
    if rollout.operation == "replace":
        return "all of them end, then new ones start"
    happens = {
        "yes": "new ones take their place one by one",
        "maybe": "none restarts if the digest stays the same",
        "no": "",
    }[rollout.rolls]
    if rollout.pods_before == rollout.pods_after:
        return happens
    number = f"{_number(rollout.pods_before)} → {_number(rollout.pods_after)}"
    return f"{happens}; their number: {number}" if happens else f"their number: {number}; running ones stay"


def _number(pods: int | None) -> str:
    return "as the autoscaler says" if pods is None else str(pods)


def _why(rollout: Rollout) -> str:
    plain = [cause if "→" not in cause else code(cause, longest=200) for cause in rollout.causes]
    return "<br>".join(plain)


def _every_difference(changes: Changes) -> str:
    return _folded_changes(changes, differences=True)


def _every_resource(changes: Changes) -> str:
    return _folded_changes(changes, differences=False)


def _folded_changes(changes: Changes, *, differences: bool) -> str:
    if not changes.steps:
        return ""
    parts: list[str] = []
    for operation, word in _OPERATIONS.items():
        if steps := changes.of(operation):
            lines = "\n".join(_resource(step, differences=differences) for step in steps)
            parts.append(f"**{word.capitalize()}**\n\n{lines}")
    return folded(f"All {plural(len(changes.steps), 'change')}, property by property", "\n\n".join(parts))


def _resource(step: Step, *, differences: bool) -> str:
    lines = [f"- {_kind(step)} {code(step.name)}"]
    if step.forced_by:
        lines[0] += f", since it cannot change {listed([code(path) for path in step.forced_by])} in place"
    if differences:
        lines += [f"  - {code(item.path)}: {turn(shown(item.before), shown(item.after))}" for item in step.differences]
    return "\n".join(lines)


def _kind(step: Step) -> str:
    return "provider" if is_provider(step) else step.kind


def _no_details(changes: Changes) -> str:
    return f"_{plural(len(changes.steps), 'change')}: too many to list; the pipeline's log has them._"


def _warnings(messages: Sequence[Message]) -> str:
    warnings = [_said(message) for message in messages if message.severity == "warning"]
    return folded(plural(len(warnings), "warning"), markdown.block(_joined(warnings))) if warnings else ""


def _said(message: Message) -> str:
    return f"{message.resource}: {message.text}" if message.resource else message.text


def _joined(texts: Sequence[str]) -> str:
    return "\n\n".join(dict.fromkeys(texts))


def _foot(run: Run, subject: Subject) -> str:
    of = f" of commit {code(subject.commit[:12])}" if subject.commit else ""
    if not run.finished:
        return f"_Preview{of}._" if of else ""
    plan = " Its plan was saved: an update does this, or refuses." if subject.plan and run.changes else ""
    return f"_Preview{of}. Secrets are never shown.{plan}_"


def _closed(text: str) -> str:
    """What closes the parts that a cut left open."""
    fence = "\n```" if text.count("\n```text") > text.count("\n```\n") + text.endswith("\n```") else ""
    return fence + "\n\n</details>" * (text.count("<details>") - text.count("</details>"))
