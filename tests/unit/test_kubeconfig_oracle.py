"""Agreement with client-go, with which kubectl reads its kubeconfigs."""

from pathlib import Path
from typing import Final

import pytest

from components.kubeconfig import KubeconfigError, cluster_access
from tests.unit import oracles
from tests.unit.kubeconfigs import Reading, readings
from tests.unit.oracles import SEED, Answer

PACKAGE: Final = "k8s.io/client-go"
GENERATED: Final = 1_000
LEAST_SHARE: Final = 0.15


def _ours(reading: Reading, file: Path) -> Reading | None:
    try:
        access = cluster_access(reading.files, reading.context)
    except KubeconfigError:
        return None
    file.write_text(access.kubeconfig)
    return Reading((file,), reading.context)


def _answers(readings: list[Reading]) -> list[Answer]:
    return oracles.answers(
        "kubeconfigs", ({"files": list(map(str, one.files)), "context": one.context} for one in readings)
    )


def test_what_is_taken_of_a_kubeconfig_is_what_kubectl_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = list(readings(SEED, GENERATED, tmp_path / "theirs"))
    elsewhere = tmp_path / "ours"
    elsewhere.mkdir()
    ours = [_ours(reading, elsewhere / str(index)) for index, reading in enumerate(asked)]
    theirs = _answers(asked)
    taken = iter(_answers([reading for reading in ours if reading]))
    answers = [next(taken) if our else Answer(None, "refused") for our in ours]
    different = [
        (reading.context, reading.files, our, their)
        for reading, our, their in zip(asked, answers, theirs, strict=True)
        if not our.agrees(their)
    ]
    with capsys.disabled():
        print(oracles.compared("kubeconfigs", PACKAGE, theirs, len(different)))
    refused = oracles.refused(theirs)
    assert different[:3] == []
    assert min(refused, len(asked) - refused) >= LEAST_SHARE * len(asked)
