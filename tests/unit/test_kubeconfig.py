import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubeconfig import KubeconfigError, cluster_access, kubeconfig_files


def write(path: Path, **names: Any) -> Path:
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "ambient",
        "contexts": [
            {"name": name, "context": {"cluster": f"{name}-cluster", "user": f"{name}-user"}} for name in names
        ],
        "clusters": [
            {"name": f"{name}-cluster", "cluster": {"server": f"https://{name}", "certificate-authority": "ca.crt"}}
            for name in names
        ],
        "users": [{"name": f"{name}-user", "user": user} for name, user in names.items()],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def test_only_the_named_context_with_its_cluster_and_user_is_taken(tmp_path: Path) -> None:
    file = write(tmp_path / "config", one={"token": "first"}, two={"token": "second"})
    access = cluster_access([file], "two")
    single = json.loads(access.kubeconfig)
    assert access.server == "https://two"
    assert single["current-context"] == "two"
    assert [entry["name"] for section in ("contexts", "clusters", "users") for entry in single[section]] == [
        "two",
        "two-cluster",
        "two-user",
    ]
    assert "first" not in access.kubeconfig


def test_paths_in_a_kubeconfig_are_those_of_its_own_folder(tmp_path: Path) -> None:
    file = write(tmp_path / "config", one={"client-key": "keys/one.key", "client-certificate": "/abs/one.crt"})
    single = json.loads(cluster_access([file], "one").kubeconfig)
    assert single["users"][0]["user"]["client-key"] == str(tmp_path / "keys" / "one.key")
    assert single["users"][0]["user"]["client-certificate"] == "/abs/one.crt"
    assert single["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "ca.crt")


def test_the_first_of_several_files_wins(tmp_path: Path) -> None:
    first = write(tmp_path / "first", one={"token": "first"})
    second = write(tmp_path / "second", one={"token": "second"}, two={"token": "two"})
    assert "first" in cluster_access([first, second], "one").kubeconfig
    assert cluster_access([first, second], "two").server == "https://two"


def test_an_unknown_context_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    file = write(tmp_path / "config", one={}, two={})
    with pytest.raises(KubeconfigError, match=r"no context 'three'; it has: one, two"):
        cluster_access([file], "three")


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="there is no kubeconfig at"):
        cluster_access([tmp_path / "none"], "one")
    (tmp_path / "broken").write_text("a: [")
    with pytest.raises(KubeconfigError, match="cannot be read as a kubeconfig"):
        cluster_access([tmp_path / "broken"], "one")
    (tmp_path / "text").write_text("just text")
    with pytest.raises(KubeconfigError, match="holds no mapping"):
        cluster_access([tmp_path / "text"], "one")


@pytest.mark.parametrize(
    "broken", ["token: {canary}: [", "users:\n- token: '{canary}\n", "a: \t{canary}", "\x00{canary}"]
)
def test_a_broken_file_is_not_quoted_since_it_may_hold_a_token(tmp_path: Path, broken: str) -> None:
    (tmp_path / "config").write_text(broken.replace("{canary}", "s3cr3t-t0ken"))
    with pytest.raises(KubeconfigError) as caught:
        cluster_access([tmp_path / "config"], "one")
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_context_whose_user_is_nowhere_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "config", one={})
    config = yaml.safe_load(file.read_text())
    config["users"] = []
    file.write_text(yaml.safe_dump(config))
    with pytest.raises(KubeconfigError, match="names a user 'one-user'"):
        cluster_access([file], "one")


def test_the_files_are_those_that_kubectl_reads(tmp_path: Path) -> None:
    assert kubeconfig_files({}, tmp_path) == [tmp_path / ".kube" / "config"]
    assert kubeconfig_files({"KUBECONFIG": "/a:/b"}, tmp_path) == [Path("/a"), Path("/b")]
