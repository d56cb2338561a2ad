"""What this user may do on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_SYS_RESOURCE: Final = 24  # CAP_SYS_RESOURCE in linux/capability.h


def lacks_sys_resource(status: Path = Path("/proc/self/status")) -> bool:
    """Whether the machine withholds CAP_SYS_RESOURCE from everybody, so that runc refuses privileged containers.

    A process inherits its bounding set, so this one's tells what the machine's root can have at most. Where /proc does
    not tell, nothing is withheld.
    """
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        if line.startswith("CapBnd:"):
            return not int(line.split()[1], 16) >> _SYS_RESOURCE & 1
    return False
