"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Final

_UNFINISHED: Final = ".unfinished-"


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a whole file in place of what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
    staging = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        staging.chmod(mode)
        staging.rename(path)
    finally:
        staging.unlink(missing_ok=True)


def link(path: Path, target: Path) -> None:
    """Make a symbolic link, or point the one that is there elsewhere."""
    if path.is_symlink() and path.readlink() == target:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=path.parent) as staging:
        new = Path(staging) / path.name
        new.symlink_to(target)
        new.rename(path)


@contextlib.contextmanager
def folder(path: Path) -> Generator[Path]:
    """Give a folder to fill; it appears at `path` once that has ended well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=path.parent))
    try:
        yield staging
        staging.chmod(0o755)
        if path.exists():
            shutil.rmtree(path)
        staging.rename(path)
    finally:
        remove(staging)


@contextlib.contextmanager
def scratch(parent: Path) -> Generator[Path]:
    """Give a folder for work in between; it is gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    try:
        # Programs that give up root's rights look into it too.
        staging.chmod(0o755)
        yield staging
    finally:
        remove(staging)


def remove_unfinished(parent: Path) -> None:
    """Remove what was being made in a folder when its maker was killed."""
    for leftover in parent.glob(f"{_UNFINISHED}*"):
        if leftover.is_dir() and not leftover.is_symlink():
            remove(leftover)
        else:
            leftover.unlink(missing_ok=True)


def remove(tree: Path) -> None:
    """Remove a folder, also one in which Go has made everything read-only."""
    if not tree.exists():
        return
    for parent, _, _ in os.walk(tree):
        with contextlib.suppress(OSError):
            Path(parent).chmod(0o755)
    shutil.rmtree(tree, ignore_errors=True)


def gather(source: Path, target: Path) -> None:
    """Put a file or folder in another place, without a copy of its content where the file system allows it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
        return
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def digest(parts: Iterable[bytes | str | Path]) -> str:
    """Name a thing by what it is made of: texts, and files or folders with the names and contents in them."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            paths = sorted(path for path in part.rglob("*") if path.is_file()) if part.is_dir() else [part]
            for path in paths:
                content = path.read_bytes()
                total.update(f"{path.relative_to(part)}\0{len(content)}\0".encode())
                total.update(content)
        else:
            content = part.encode() if isinstance(part, str) else part
            total.update(f"{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()[:12]
