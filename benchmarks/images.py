"""The images: what each adds to its base, which layers they share, and how long they build, warm and cold."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, cast

from benchmarks import docker_client, drawing
from benchmarks.rounds import Figures, measure
from tests.integration.deployment import ROOT, SANDBOX, SERVICES

MOST_OVER_BASE: Final = 60
"""Megabytes (of a million bytes) that an image may add to its base."""

UNCHANGED: Final = "no change"
ONE_LINE: Final = "one changed line"
COLD: Final = "no cache"
_LEVEL: Final = 6  # of gzip: its default, and what the engine pushes with
_CHUNK: Final = 1 << 20


@dataclass(frozen=True)
class Layer:
    """One layer of an image."""

    digest: str
    """Of the layer as a tar: what the engine lists as RootFS.Layers, and OCI calls DiffID."""
    size: int
    """Bytes of its files and of its symbolic links' targets, as the engine counts them."""
    compressed: int
    """Bytes by gzip at its default level: what is pushed and pulled, to about a per cent."""


@dataclass(frozen=True)
class Contents:
    """The layers of images with one base."""

    base: tuple[Layer, ...]
    images: Mapping[str, tuple[Layer, ...]]
    """All layers of each, those of its base first."""

    def added(self, name: str) -> tuple[Layer, ...]:
        """What an image adds to its base."""
        return tuple(layer for layer in self.images[name] if layer not in self.base)

    def shares(self) -> dict[tuple[str, ...], list[Layer]]:
        """Names of images to the layers above the base that just these have; what most of them have comes first."""
        owners: dict[Layer, tuple[str, ...]] = {}
        for name in self.images:
            for layer in self.added(name):
                if name not in owners.get(layer, ()):
                    owners[layer] = (*owners.get(layer, ()), name)
        found: dict[tuple[str, ...], list[Layer]] = {}
        for layer, names in sorted(owners.items(), key=lambda item: -len(item[1])):
            found.setdefault(names, []).append(layer)
        return found

    def pulls(self) -> dict[str, list[Layer]]:
        """What a node without any of them pulls for each image, one after the other."""
        there: set[Layer] = set()
        found: dict[str, list[Layer]] = {}
        for name, layers in self.images.items():
            found[name] = [layer for layer in dict.fromkeys(layers) if layer not in there]
            there.update(layers)
        return found


def lines(contents: Contents) -> list[str]:
    """Sizes, shared layers, and what a node pulls, as lines of text."""
    told = [f"base: {_sum(contents.base)}"]
    told += [f"{name} adds {_sum(contents.added(name))}" for name in contents.images]
    for names, layers in contents.shares().items():
        told.append(f"{_owners(names, contents)}: {_sum(layers)}")
    told += [f"a node pulls for {name}, in this order: {_sum(layers)}" for name, layers in contents.pulls().items()]
    return told


def draw(contents: Contents, file: Path, title: str = "What the images are made of") -> None:
    """Draw a bar of megabytes for each image: its base, what it shares with others, what is its own."""
    from matplotlib.patches import Patch  # noqa: PLC0415 - takes a second, and lines of text need none

    names = list(contents.images)
    parts = {"base": (tuple(names), list(contents.base))}
    parts |= {_owners(owners, contents): (owners, layers) for owners, layers in contents.shares().items()}
    # What images have for themselves is one entry of the legend.
    colours = {part: drawing.COLOURS[3] for part, (owners, _) in parts.items() if len(owners) == 1}
    shared = [part for part in parts if part not in colours]
    colours |= dict(zip(shared, ("#bdc1c6", *drawing.COLOURS[:3]), strict=False))
    with drawing.picture(file, 8, 1.4 + 0.35 * len(names)) as axes:
        ends = dict.fromkeys(names, 0.0)
        for part, (owners, layers) in parts.items():
            size = sum(layer.size for layer in layers) / 1e6
            for name in owners:
                axes.barh(name, size, left=ends[name], color=colours.get(part, drawing.INK))
                ends[name] += size
        for row, name in enumerate(names):
            text = f"base + {_bytes(sum(layer.size for layer in contents.added(name)))}"
            axes.annotate(text, (ends[name], row), (6, 0), textcoords="offset points", va="center", fontsize=9)
        axes.invert_yaxis()
        axes.set_xlim(left=0)
        axes.set_xlabel("MB")
        axes.set_title(title)
        seen = [part for part in shared if any(layer.size for layer in parts[part][1])]
        legend = [Patch(color=colours.get(part, drawing.INK), label=part) for part in seen]
        legend.append(Patch(color=drawing.COLOURS[3], label="one image's own"))
        axes.figure.legend(handles=legend, loc="outside lower center", ncols=len(legend), fontsize=8, frameon=False)


def measured(
    rounds: int, tell: Callable[[str], None], cold_rounds: int = 1, services: Sequence[str] = SERVICES
) -> tuple[dict[str, Figures], Contents]:
    """Seconds to build each image, and what is in them.

    Three ways: with nothing changed, with one line of the service's code changed, and with no build cache (the base is
    there, and what is installed comes from the package index again).

    Args:
        rounds: of the warm builds.
        tell: is given one line for each figure.
        cold_rounds: of the builds without a cache; each takes as long as the installation.
        services: which images.
    """
    with workshop() as shop:
        for service in services:
            shop.build(service)
        contents = shop.contents(services)
        warm: dict[str, Callable[[], float]] = {}
        for service in services:
            warm[f"{service}, {UNCHANGED}"] = partial(_timed, partial(shop.build, service))
            warm[f"{service}, {ONE_LINE}"] = partial(shop.changed, service)
        cold = {f"{service}, {COLD}": partial(shop.cold, service) for service in services}
        figures = measure(warm, rounds, tell, "s") | measure(cold, cold_rounds, tell, "s")
    order = [f"{service}, {way}" for way in (UNCHANGED, ONE_LINE, COLD) for service in services]
    return {name: figures[name] for name in order}, contents


@dataclass
class Workshop:
    """Builds from copies of the services' folders, under image names of its own."""

    folder: Path
    python_image: str = SANDBOX.python_image
    tags: list[str] = field(default_factory=list[str])
    _run: str = field(default_factory=lambda: secrets.token_hex(4))

    def build(self, service: str, *options: str) -> str:
        """Build the service's folder as it is here, and give the image's name."""
        tag = f"dockercoins-benchmark-{self._run}:{service}-{len(self.tags)}"
        self.tags.append(tag)
        arguments = ("--quiet", "--build-arg", f"PYTHON_IMAGE={self.python_image}", "--tag", tag)
        docker_client.ask("build", *arguments, *options, str(self.folder / service))
        return tag

    def changed(self, service: str) -> float:
        """Seconds to build with one new line in the service's code."""
        with self._edited(service, f"{service}/__init__.py", lambda text: f"{text}# {secrets.token_hex(8)}\n"):
            return _timed(partial(self.build, service))

    def cold(self, service: str) -> float:
        """Seconds to build without a cache.

        What is built without a cache takes the place of what was there: BuildKit knows the files that one stage copies
        from another by their content, without times, while a layer's digest has the times in it. The service would get
        layers of its own, and no longer share them with services that have the same lock. So each stage begins with an
        empty folder of a name that was never there, and all after it is another thing to the cache.
        """
        stage = f"\\1\nWORKDIR /{secrets.token_hex(8)}"
        with self._edited(service, "Dockerfile", lambda text: re.sub(r"(?m)^(FROM .*)$", stage, text)):
            return _timed(partial(self.build, service, "--no-cache"))

    def contents(self, services: Sequence[str]) -> Contents:
        """What is in the last image of each service."""
        last = {service: next(tag for tag in self.tags[::-1] if f":{service}-" in tag) for service in services}
        digests = {name: _digests(tag) for name, tag in last.items()}
        layers = saved_layers(list(last.values()))
        base = _digests(self.python_image)
        missing = {digest for listed in (base, *digests.values()) for digest in listed} - set(layers)
        if missing:
            raise RuntimeError(f"docker save gave no layer {', '.join(sorted(missing))}")
        images = {name: tuple(layers[digest] for digest in listed) for name, listed in digests.items()}
        return Contents(tuple(layers[digest] for digest in base), images)

    @contextmanager
    def _edited(self, service: str, path: str, edit: Callable[[str], str]) -> Generator[None]:
        file = self.folder / service / path
        original = file.read_text()
        file.write_text(edit(original))
        try:
            yield
        finally:
            file.write_text(original)


@contextmanager
def workshop() -> Generator[Workshop]:
    """Give a workshop whose images are removed afterwards; the engine's build cache keeps what they were made of."""
    with tempfile.TemporaryDirectory(prefix="dockercoins-images-") as name:
        folder = Path(name)
        for service in SERVICES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "services" / service, folder / service, ignore=ignored)
        shop = Workshop(folder)
        try:
            yield shop
        finally:
            if shop.tags:
                subprocess.run(
                    [docker_client.client(), "image", "rm", "--force", *shop.tags], capture_output=True, check=False
                )


def saved_layers(images: Sequence[str]) -> dict[str, Layer]:
    """The layers of images by digest, from `docker save`."""
    with subprocess.Popen([docker_client.client(), "save", *images], stdout=subprocess.PIPE) as process:
        stream = cast("IO[bytes]", process.stdout)
        found: dict[str, Layer] = {}
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                layer = layer_of(content) if content else None
                if layer:
                    found[layer.digest] = layer
        stream.read()
    if process.returncode:
        raise RuntimeError(f"docker save failed ({process.returncode})")
    return found


class _Metered:
    """A file that digests and compresses what is read from it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._compressor = zlib.compressobj(_LEVEL)
        self.compressed = 0

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        self._digest.update(content)
        self.compressed += len(self._compressor.compress(content))
        return content

    def finish(self) -> str:
        """Read what is left, and give the digest of it all."""
        while self.read(_CHUNK):
            pass
        self.compressed += len(self._compressor.flush())
        return f"sha256:{self._digest.hexdigest()}"


def layer_of(content: IO[bytes]) -> Layer | None:
    """What a file that `docker save` gives is, if it is a layer, which is a tar; the others describe images."""
    metered = _Metered(content)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", metered), mode="r|") as layer:
            size = sum(len(os.fsencode(member.linkname)) if member.issym() else member.size for member in layer)
    except tarfile.ReadError:
        return None
    return Layer(metered.finish(), size, metered.compressed)


def _digests(image: str) -> list[str]:
    described: list[dict[str, Any]] = json.loads(docker_client.ask("image", "inspect", image))
    return described[0]["RootFS"]["Layers"]


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _owners(names: Sequence[str], contents: Contents) -> str:
    if len(names) == 1:
        return f"{names[0]} alone"
    return "all above the base" if len(names) == len(contents.images) else f"{' and '.join(names)} share"


def _sum(layers: Sequence[Layer]) -> str:
    plural = "" if len(layers) == 1 else "s"
    unpacked, compressed = sum(layer.size for layer in layers), sum(layer.compressed for layer in layers)
    return f"{len(layers)} layer{plural}, {_bytes(unpacked)}, {_bytes(compressed)} compressed"


def _bytes(count: int) -> str:
    return f"{drawing.number(count / 1e6)} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"  # noqa: PLR2004 - a million
