"""Runs a command under the system calls and the memory that a systemd unit allows: confined.py UNIT COMMAND…

As systemd does: by seccomp and PR_SET_MDWE. Only the two lists of the unit's file, not what it sets up with them.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

LIBRARY = "libseccomp.so.2"
_NO_NEW_PRIVILEGES, _NO_WRITABLE_CODE = 38, 65  # PR_SET_NO_NEW_PRIVS, PR_SET_MDWE of prctl(2)
_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | 1  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM)


def allowed_calls(unit: str) -> set[str]:
    """The names of the system calls after all lines of SystemCallFilter."""
    allowed: set[str] = set()
    for line in unit.splitlines():
        if line.startswith("SystemCallFilter="):
            names = line.partition("=")[2]
            calls = {call for name in names.lstrip("~").split() for call in _calls(name)}
            allowed = allowed - calls if names.startswith("~") else allowed | calls
    return allowed


def _calls(name: str) -> set[str]:
    """The calls of a set such as `@system-service`, in which there may be others."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True)
    lines = (line.strip() for line in listed.stdout.splitlines()[1:])
    return {call for line in lines if line and not line.startswith("#") for call in _calls(line)}


def confine(unit: str) -> None:
    """From here on this process, and whatever it becomes, has these system calls only."""
    seccomp, libc = ctypes.CDLL(LIBRARY), ctypes.CDLL(None)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_EPERM)))
    for call in allowed_calls(unit):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # others are those of other machines
            assert seccomp.seccomp_rule_add(rules, ctypes.c_uint32(_ALLOW), number, 0) == 0, call
    assert libc.prctl(_NO_NEW_PRIVILEGES, *map(ctypes.c_ulong, (1, 0, 0, 0))) == 0
    if "\nMemoryDenyWriteExecute=yes" in unit:
        assert libc.prctl(_NO_WRITABLE_CODE, *map(ctypes.c_ulong, (1, 0, 0, 0))) == 0
    assert seccomp.seccomp_load(rules) == 0


if __name__ == "__main__":
    confine(Path(sys.argv[1]).read_text())
    os.execvp(sys.argv[2], sys.argv[2:])
