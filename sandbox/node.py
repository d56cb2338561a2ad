"""The cluster's node image: kind's own where it can be pulled, otherwise made from Debian packages and Go modules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import files, images, processes, toolchain
from .docker import Docker
from .paths import Paths
from .progress import Step

OFFICIAL: Final = "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"
"""https://github.com/kubernetes-sigs/kind/releases/tag/v0.33.0"""

SERVICES: Final = "10.96.0.0/16"
"""The range that Services get their addresses from."""

_COMPONENTS: Final = ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler")
_NODE_PROGRAMS: Final = ("kubelet", "kubeadm", "kubectl")


PROGRAMS: Final = (*(toolchain.KUBERNETES_PROGRAM, toolchain.ETCD, toolchain.COREDNS, toolchain.PAUSE, toolchain.KIND),)
"""What a node is built from, in the order of the fields of `Programs`."""


@dataclass(frozen=True)
class Programs:
    """What the node and its system pods run."""

    kubernetes: toolchain.Tool
    etcd: toolchain.Tool
    coredns: toolchain.Tool
    pause: toolchain.Tool
    kind: toolchain.Tool

    def key(self) -> str:
        """Names them: the folder of each is named by what it was built from."""
        return " ".join(
            tool.path.parent.name for tool in (self.kubernetes, self.etcd, self.coredns, self.pause, self.kind)
        )


def build(docker: Docker, step: Step, paths: Paths, base: images.Image, programs: Programs) -> images.Image:
    """Build the node image, unless it is there.

    Args:
        docker: the client.
        step: is told what is done.
        paths: where to log, and to gather.
        base: the Debian system below.
        programs: what goes on top.

    Raises:
        SandboxError: it cannot be built; the message has the last lines of the log.
    """
    base_id = str((docker.inspect("image", base.name) or {}).get("Id", ""))
    recipes = [images.RECIPES / "system", images.RECIPES / "node"]
    key = files.digest([base_id, programs.key(), toolchain.KUBERNETES, *recipes])
    name = f"dockercoins/node:{toolchain.KUBERNETES}-{key}"
    done = images.there(docker, name, key)
    if done is not None:
        step.finish(f"{name} {done.origin}")
        return done
    step.work("building the images of the system pods")
    with files.scratch(paths.root) as work:
        names = _system_images(docker, paths, work, base, programs)
        archive = work / "system.tar"
        docker.output("save", "--output", archive, *names, timeout=600.0)
        step.work("building the node")
        kubernetes = work / "node"
        _linked(programs.kubernetes.path, kubernetes, _NODE_PROGRAMS)
        pause = next(image for image in names if "/pause:" in image)
        # kind's files are beside its program only where that was built here.
        image = images.build(
            docker,
            step,
            paths,
            name=name,
            key=key,
            contents=[
                (images.RECIPES / "node" / "Dockerfile", "Dockerfile"),
                (images.RECIPES / "node" / "bridge.conflist", "bridge.conflist"),
                (images.RECIPES / "node" / "storage.yaml", "storage.yaml"),
                (images.RECIPES / "node" / "service-addresses.service", "service-addresses.service"),
                (programs.kind.path.parent / "files", "kind"),
                (kubernetes, "kubernetes"),
                (archive, "system.tar"),
            ],
            arguments={
                "BASE": base.name,
                "PAUSE": pause,
                "SERVICES": SERVICES,
                "VERSION": toolchain.KUBERNETES,
            },
        )
        # The node carries them in its own store; on the machine they are of no more use.
        docker.succeeds("rmi", *names)
    return image


def limited(docker: Docker, step: Step, paths: Paths, image: images.Image, wrapper: toolchain.Tool) -> images.Image:
    """The same node for a machine that withholds CAP_SYS_RESOURCE."""
    recipe = images.RECIPES / "limited" / "Dockerfile"
    key = files.digest([image.name, wrapper.path.parent.name, recipe])
    return images.build(
        docker,
        step,
        paths,
        name=f"dockercoins/node-limited:{key}",
        key=key,
        contents=[(recipe, "Dockerfile"), (wrapper.path, "limited")],
        arguments={"NODE": image.name},
    )


def _system_images(docker: Docker, paths: Paths, work: Path, base: images.Image, programs: Programs) -> list[str]:
    """Build the images that kubeadm asks for, and return their names."""
    context = work / "system"
    files.gather(images.RECIPES / "system" / "Dockerfile", context / "Dockerfile")
    for tool, place in ((programs.etcd, "etcd"), (programs.coredns, "coredns"), (programs.pause, "pause")):
        files.gather(tool.path, context / place)
    _linked(programs.kubernetes.path, context / "kubernetes", _COMPONENTS)
    kubeadm = programs.kubernetes.path.parent / "kubeadm"
    names = processes.output(
        [kubeadm, "config", "images", "list", "--kubernetes-version", toolchain.KUBERNETES]
    ).split()
    built: dict[str, str] = {}
    for name in names:
        component = name.rpartition("/")[2].partition(":")[0]
        target = "kubernetes" if component in _COMPONENTS else component
        if target in built:
            docker.output("tag", built[target], name)
            continue
        docker.build(context, name, log=paths.log("image-system"), arguments={"BASE": base.name}, target=target)
        built[target] = name
    return names


def _linked(program: Path, folder: Path, names: tuple[str, ...]) -> None:
    """Put a program that goes by its name into a folder, once, with links under its other names."""
    folder.mkdir(parents=True)
    files.gather(program, folder / names[0])
    for name in names[1:]:
        (folder / name).symlink_to(names[0])
