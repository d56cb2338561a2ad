"""Puts resource provider plugins where Pulumi's engine looks for them: the official ones wherever they can be had.

The engine starts `$PULUMI_HOME/plugins/resource-<name>-v<version>/pulumi-resource-<name>`. The folder must be a real
one: the engine skips links to folders (`tryPlugin` in pulumi/sdk, `go/common/workspace/plugins.go`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast

Origin: TypeAlias = Literal["official", "built", "stand-in"]
"""Which plugin serves a package."""

Report: TypeAlias = Callable[[str], None]
"""Takes one line of progress."""

BUILDABLE: Final = ("kubernetes",)
"""The packages whose official plugin can be built from its Go module."""

STAND_INS: Final = ("aws", "docker")
"""The packages for which there is a stand-in."""

DOWNLOAD_SITE: Final = "https://get.pulumi.com/"
_SITE_ANSWERS_WITHIN: Final = 3.0  # seconds
_DOWNLOAD_WITHIN: Final = 300.0  # seconds, for one plugin
_MARKER: Final = "stand-in.json"
_BUILT: Final = "built.json"
_LEFTOVER_PREFIX: Final = ".unfinished-"

_LAUNCHER: Final = """\
#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd) || exit 1
PYTHONPATH="$here/lib" exec {python} -P -m sandbox.plugins.{name} "$@"
"""


class PluginInstallError(Exception):
    """A plugin could not be installed; the message says which and what to do."""


class PluginDownloadError(PluginInstallError):
    """A plugin that was not built could not be downloaded either."""


def to_build(
    pulumi_home: Path,
    versions: Mapping[str, str],
    official_home: Path | None,
    *,
    can_download: Callable[[], bool],
) -> frozenset[str]:
    """The packages of `versions` whose plugin has to be built: no official one is there or can be downloaded.

    A plugin that was built and is installed stays so; `can_download` is called only if it matters.
    """

    def needed(name: str) -> bool:
        if _official(pulumi_home, name, versions[name], official_home) is not None:
            return False
        return (plugin_folder(pulumi_home, name, versions[name]) / _BUILT).exists() or not can_download()

    return frozenset(name for name in BUILDABLE if name in versions and needed(name))


def install(
    pulumi_home: Path,
    python: Path,
    versions: Mapping[str, str],
    official_home: Path | None = None,
    *,
    built: Mapping[str, Path] | None = None,
    report: Report = print,
    download: Callable[[Path, str, str], bool] | None = None,
) -> dict[str, Origin]:
    """Make every plugin of `versions` available in `pulumi_home`, and say which kind serves it.

    In this order: the official plugin that is there; the one in `official_home`, linked; the one that was `built`; a
    stand-in that is there and current; the official one by `pulumi plugin install`, if its site answers at once; the
    stand-in, except for packages that could have been built.

    Args:
        pulumi_home: the `PULUMI_HOME` to install into.
        python: the interpreter that has the stand-ins' requirements.
        versions: package name to version, as `{"docker": "5.2.0"}`.
        official_home: another `PULUMI_HOME` whose official plugins may be used.
        built: package name to the plugin's program, for those of `to_build`.
        report: takes one line for each plugin.
        download: fetches (pulumi_home, name, version) and tells whether it could; by default, `pulumi plugin install`.

    Raises:
        PluginDownloadError: the download of a plugin failed that could have been built.
        PluginInstallError: there is neither an official plugin nor a stand-in for a name.
    """
    programs = built or {}
    plugins = pulumi_home / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for leftover in plugins.glob(f"{_LEFTOVER_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fetch = download or download_if_reachable()
    origins: dict[str, Origin] = {}
    for name, version in versions.items():
        origins[name], how = _install_one(
            pulumi_home, python, name, version, official_home=official_home, built=programs.get(name), fetch=fetch
        )
        report(f"plugin {name} {version}: {origins[name]}{how}")
    return origins


def install_stand_in(pulumi_home: Path, python: Path, name: str, version: str) -> Path:
    """Install the stand-in for one package, whatever else could serve it, and return its folder.

    Nothing is written when the same stand-in is there already.

    Raises:
        PluginInstallError: there is no stand-in for the name.
    """
    if name not in STAND_INS:
        raise PluginInstallError(
            f"plugin {name} {version}: there is no stand-in for it, only for {', '.join(STAND_INS)}; "
            f"install the official one with: pulumi plugin install resource {name} {version}"
        )
    plugins = pulumi_home / "plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    folder = plugin_folder(pulumi_home, name, version)
    key = stand_in_key(python, name)
    if _stand_in_key_of(folder) == key:
        return folder
    staging = Path(tempfile.mkdtemp(prefix=_LEFTOVER_PREFIX, dir=plugins))
    try:
        _write_stand_in(staging, python, name, key)
        _replace(folder, staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def plugin_folder(pulumi_home: Path, name: str, version: str) -> Path:
    """Where the engine looks for a plugin."""
    return pulumi_home / "plugins" / f"resource-{name}-v{version}"


def stand_in_key(python: Path, name: str) -> str:
    """Names a stand-in by all that it is made of: the sources, the launcher and the interpreter."""
    digest = hashlib.sha256()
    for relative, content in _sources():
        digest.update(f"{relative}\0{len(content)}\0".encode())
        digest.update(content)
    digest.update(_launcher(python, name).encode())
    return digest.hexdigest()


def _install_one(
    home: Path,
    python: Path,
    name: str,
    version: str,
    *,
    official_home: Path | None,
    built: Path | None,
    fetch: Callable[[Path, str, str], bool],
) -> tuple[Origin, str]:
    folder = plugin_folder(home, name, version)
    official = _official(home, name, version, official_home)
    if official == folder:
        return "official", ", already there"
    if official is not None:
        _link(folder, official)
        return "official", f", from {official}"
    if built is not None:
        return "built", _install_built(folder, name, built)
    if name not in BUILDABLE and _stand_in_key_of(folder) == stand_in_key(python, name):
        return "stand-in", ", already there"
    if fetch(home, name, version) and is_official(folder, name):
        return "official", ", downloaded"
    if name in BUILDABLE:
        raise PluginDownloadError(f"plugin {name} {version}: its download from {DOWNLOAD_SITE} failed")
    install_stand_in(home, python, name, version)
    return "stand-in", " (the official one cannot be downloaded here)"


def _official(home: Path, name: str, version: str, official_home: Path | None) -> Path | None:
    """The folder of the official plugin, in `home` or else in `official_home`."""
    for root in (home, official_home):
        if root is not None:
            folder = plugin_folder(root, name, version)
            if is_official(folder, name):
                return folder
    return None


def origin_of(folder: Path) -> Origin:
    """Which plugin an installed folder holds."""
    if (folder / _MARKER).exists():
        return "stand-in"
    return "built" if (folder / _BUILT).exists() else "official"


def is_official(folder: Path, name: str) -> bool:
    """Whether a folder holds the official plugin for a package, as its publisher built it."""
    return os.access(folder / f"pulumi-resource-{name}", os.X_OK) and origin_of(folder) == "official"


def _install_built(folder: Path, name: str, program: Path) -> str:
    """Install a plugin that was built, unless it is there; its program is in a folder named by what it is made of."""
    key = str(program)
    if _key_of(folder / _BUILT) == key:
        return ", already there"
    staging = Path(tempfile.mkdtemp(prefix=_LEFTOVER_PREFIX, dir=folder.parent))
    try:
        (staging / f"pulumi-resource-{name}").symlink_to(program)
        (staging / _BUILT).write_text(json.dumps({"key": key}) + "\n")
        staging.chmod(0o755)
        _replace(folder, staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return " from its Go module"


def _stand_in_key_of(folder: Path) -> str | None:
    return _key_of(folder / _MARKER)


def _key_of(marker_file: Path) -> str | None:
    try:
        marker: object = json.loads(marker_file.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(marker, dict):
        return None
    key = cast("dict[object, object]", marker).get("key")
    return key if isinstance(key, str) else None


def _sources() -> list[tuple[str, bytes]]:
    """The package `sandbox.plugins`: paths relative to its root, with contents, in a fixed order."""
    root = Path(__file__).resolve().parent
    return [(path.relative_to(root).as_posix(), path.read_bytes()) for path in sorted(root.rglob("*.py"))]


def _launcher(python: Path, name: str) -> str:
    return _LAUNCHER.format(python=shlex.quote(str(python)), name=name)


def _write_stand_in(staging: Path, python: Path, name: str, key: str) -> None:
    # Without an `__init__.py` of its own, `sandbox` in the copy is nothing but the way to the plugins.
    package = staging / "lib" / "sandbox" / "plugins"
    for relative, content in _sources():
        target = package / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    # Compiled once here, so that a first start is as quick as the others; a plugin also runs without.
    subprocess.run([str(python), "-m", "compileall", "-q", str(package)], check=False, capture_output=True)
    launcher = staging / f"pulumi-resource-{name}"
    launcher.write_text(_launcher(python, name))
    launcher.chmod(0o755)
    staging.chmod(0o755)
    (staging / _MARKER).write_text(json.dumps({"key": key}) + "\n")


def _link(folder: Path, official: Path) -> None:
    staging = Path(tempfile.mkdtemp(prefix=_LEFTOVER_PREFIX, dir=folder.parent))
    try:
        for entry in official.iterdir():
            (staging / entry.name).symlink_to(entry.resolve())
        staging.chmod(0o755)
        _replace(folder, staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace(folder: Path, staging: Path) -> None:
    """Put the staged folder in place. A reader sees the old one, for an instant none, then the new one."""
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=_LEFTOVER_PREFIX, dir=folder.parent))
        folder.rename(old / folder.name)
        shutil.rmtree(old, ignore_errors=True)
    # What the engine leaves beside a plugin when one of its own downloads was cut short makes it ignore the folder.
    for suffix in (".partial", ".lock"):
        Path(f"{folder}{suffix}").unlink(missing_ok=True)
    staging.rename(folder)


def download_if_reachable() -> Callable[[Path, str, str], bool]:
    """`pulumi plugin install`, behind one short look at whether its site answers at all."""
    answers: list[bool] = []

    def fetch(home: Path, name: str, version: str) -> bool:
        if not answers:
            answers.append(site_answers())
        return answers[0] and _pulumi_plugin_install(home, name, version)

    return fetch


def site_answers() -> bool:
    """Whether anybody answers at the site that official plugins are downloaded from."""
    request = urllib.request.Request(DOWNLOAD_SITE, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_SITE_ANSWERS_WITHIN):  # noqa: S310 - a constant https address
            return True
    except urllib.error.HTTPError:
        return True  # the root need not be readable, as long as somebody answers for it
    except OSError:
        return False


def _pulumi_plugin_install(home: Path, name: str, version: str) -> bool:
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        return False
    environment = {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "1"}
    try:
        outcome = subprocess.run(
            [pulumi, "plugin", "install", "resource", name, version],
            env=environment,
            timeout=_DOWNLOAD_WITHIN,
            capture_output=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return outcome.returncode == 0
