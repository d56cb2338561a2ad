"""What images share, told from their layers."""

import hashlib
import io
import tarfile
from pathlib import Path

from benchmarks.images import Contents, Layer, draw, layer_of, lines

_BASE = Layer("sha256:base", 177_000_000, 72_000_000)
_FOLDER = Layer("sha256:folder", 0, 80)
_SMALL = Layer("sha256:small", 40_000_000, 11_000_000)
_LARGE = Layer("sha256:large", 46_000_000, 13_000_000)


def _code(name: str) -> Layer:
    return Layer(f"sha256:{name}", 110_000, 46_000)


def _contents() -> Contents:
    packages = {"hasher": _SMALL, "rng": _SMALL, "worker": _LARGE}
    return Contents((_BASE,), {name: (_BASE, _FOLDER, layer, _code(name)) for name, layer in packages.items()})


def test_an_image_adds_what_is_not_of_its_base() -> None:
    assert _contents().added("worker") == (_FOLDER, _LARGE, _code("worker"))


def test_layers_are_told_by_whose_they_are() -> None:
    assert _contents().shares() == {
        ("hasher", "rng", "worker"): [_FOLDER],
        ("hasher", "rng"): [_SMALL],
        ("hasher",): [_code("hasher")],
        ("rng",): [_code("rng")],
        ("worker",): [_LARGE, _code("worker")],
    }


def test_a_layer_that_an_image_has_twice_is_counted_once() -> None:
    contents = Contents((), {"hasher": (_FOLDER, _SMALL, _FOLDER)})
    assert contents.shares() == {("hasher",): [_FOLDER, _SMALL]}
    assert contents.pulls() == {"hasher": [_FOLDER, _SMALL]}


def test_a_node_pulls_no_layer_twice() -> None:
    assert _contents().pulls() == {
        "hasher": [_BASE, _FOLDER, _SMALL, _code("hasher")],
        "rng": [_code("rng")],
        "worker": [_LARGE, _code("worker")],
    }


def test_lines_have_sizes_shares_and_pulls() -> None:
    assert lines(_contents()) == [
        "base: 1 layer, 177 MB, 72.0 MB compressed",
        "hasher adds 3 layers, 40.1 MB, 11.0 MB compressed",
        "rng adds 3 layers, 40.1 MB, 11.0 MB compressed",
        "worker adds 3 layers, 46.1 MB, 13.0 MB compressed",
        "all above the base: 1 layer, 0 kB, 0 kB compressed",
        "hasher and rng share: 1 layer, 40.0 MB, 11.0 MB compressed",
        "hasher alone: 1 layer, 110 kB, 46 kB compressed",
        "rng alone: 1 layer, 110 kB, 46 kB compressed",
        "worker alone: 2 layers, 46.1 MB, 13.0 MB compressed",
        "a node pulls for hasher, in this order: 4 layers, 217 MB, 83.0 MB compressed",
        "a node pulls for rng, in this order: 1 layer, 110 kB, 46 kB compressed",
        "a node pulls for worker, in this order: 2 layers, 46.1 MB, 13.0 MB compressed",
    ]


def test_a_layer_is_weighed_by_its_files_and_links_and_named_by_the_digest_of_its_tar() -> None:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        entry = tarfile.TarInfo("app/code.py")
        entry.size = 5000
        archive.addfile(entry, io.BytesIO(bytes(5000)))
        for kind, target in ((tarfile.SYMTYPE, "code.py"), (tarfile.LNKTYPE, "app/code.py")):
            entry = tarfile.TarInfo(f"app/{kind.decode()}")
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
    layer = layer_of(io.BytesIO(written.getvalue()))
    assert layer is not None
    assert layer.size == 5000 + len("code.py")
    assert layer.digest == f"sha256:{hashlib.sha256(written.getvalue()).hexdigest()}"
    assert 0 < layer.compressed < 1000


def test_what_only_describes_images_is_no_layer() -> None:
    assert layer_of(io.BytesIO(b'{"architecture": "amd64"}' * 100)) is None


def test_equal_contents_give_equal_pictures(tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(_contents(), tmp_path / f"{name}.svg")
    text = (tmp_path / "one.svg").read_text()
    assert text == (tmp_path / "two.svg").read_text()
    for shown in ("worker", "base + 46.1 MB", "hasher and rng share", "one image's own"):
        assert f">{shown}<" in text
