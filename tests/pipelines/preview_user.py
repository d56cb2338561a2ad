"""A user of the sandbox's cluster whom the roles for a preview are given to, with a client certificate of their own."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.integration.deployment import ROOT, until
from tests.integration.kubectl import kubectl

ROLES = ROOT / "pipelines" / "roles" / "kubernetes.yaml"
GROUP = "dockercoins:preview"


@contextmanager
def preview_user(folder: Path) -> Generator[Path]:
    """The roles as they are shipped, and a kubeconfig of somebody in the group; both are gone afterwards."""
    kubectl("apply", "-f", str(ROLES))
    try:
        kubeconfig = folder / "preview-kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(f"preview-{folder.name}")))
        # The cluster takes a moment to hold requests to a new policy.
        probe = ("create", "configmap", "probe", "--namespace", "default")
        until(lambda: "only dry runs are allowed" in as_user(kubeconfig, *probe).stderr, "the policy to be in force")
        yield kubeconfig
    finally:
        kubectl("delete", "-f", str(ROLES), "--ignore-not-found")
        kubectl("delete", "configmap", "probe", "--namespace", "default", "--ignore-not-found")


def as_user(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl as that user."""
    command = ["kubectl", "--kubeconfig", str(kubeconfig), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _kubeconfig(name: str) -> dict[str, Any]:
    own = json.loads(kubectl("config", "view", "--raw", "--flatten", "--minify", "--output", "json"))
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, GROUP)]
    )
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    wanted = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "expirationSeconds": 3600,
        },
    }
    kubectl("create", "-f", "-", stdin=json.dumps(wanted))
    try:
        kubectl("certificate", "approve", name)
        path = "jsonpath={.status.certificate}"
        until(lambda: bool(kubectl("get", "csr", name, "--output", path)), "a certificate")
        certificate = kubectl("get", "csr", name, "--output", path)
    finally:
        kubectl("delete", "csr", name)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    own["users"][0]["user"] = {
        "client-certificate-data": certificate,
        "client-key-data": base64.b64encode(private).decode(),
    }
    return own
