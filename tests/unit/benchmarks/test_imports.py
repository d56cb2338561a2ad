import sys
from pathlib import Path

from benchmarks.imports import imported, shown

TOLD = """\
import time: self [us] | cumulative | imported package
import time:       100 |        100 |   some.part
import time:       584 |     149246 | pulumi
import time:       300 |      33263 |   pulumi_docker
a line of something else
"""


def test_what_the_interpreter_tells_is_read_in_milliseconds() -> None:
    assert shown(TOLD, ("pulumi_docker", "pulumi", "absent")) == [("pulumi_docker", 33.263), ("pulumi", 149.246)]


def test_the_program_s_packages_are_told() -> None:
    names = [name for name, milliseconds in imported(Path(sys.executable)) if milliseconds > 0]
    assert {"pulumi", "pulumi_aws", "pulumi_docker", "pulumi_kubernetes.core.v1.Binding", "settings"} <= set(names)
