"""The page about systemd: its drop-ins as systemd sees them with the units, and the paths and names in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support.process import BIN
from support.prose import ROOT, Block, read_blocks

from pypihub.config import load_config

PAGE = ROOT / "docs/howto/systemd.md"
UNITS = ROOT / "etc/systemd"
BLOCKS = list(read_blocks(PAGE))
DROP_INS = [block for block in BLOCKS if block.mark == "file" and block.value.endswith(".conf")]


def write(folder: Path, blocks: list[Block]) -> list[Path]:
    """The units, whose program is the one here, with the drop-ins beside them."""
    units = [folder / unit.name for unit in UNITS.iterdir()]
    for unit in units:
        text = (UNITS / unit.name).read_text()
        unit.write_text(text.replace("/opt/pypihub/bin/pypihub", str(BIN / "pypihub")))
    for block in blocks:
        file = folder / block.value
        file.parent.mkdir()
        file.write_text(block.text)
    return units


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here: apt-get install systemd")
def test_systemd_has_nothing_to_say_of_the_units_with_the_drop_ins(tmp_path: Path) -> None:
    assert {Path(block.value).parts[0] for block in DROP_INS} == {f"{unit.name}.d" for unit in UNITS.iterdir()}
    units = write(tmp_path, DROP_INS)
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_what_is_installed_is_in_the_clone_and_goes_where_the_unit_looks_for_it() -> None:
    typed = "".join(block.text for block in BLOCKS if block.language == "sh")
    for file in re.findall(r" (etc/\S+|requirements\S+)", typed):
        assert (ROOT / file).exists(), file
    service = (UNITS / "pypihub.service").read_text()
    assert "ExecStart=/opt/pypihub/bin/pypihub -c /etc/pypihub/pypihub.toml\n" in service
    assert "python3 -m venv /opt/pypihub\n" in typed
    assert "install -D -m 644 -t /etc/pypihub etc/pypihub.toml\n" in typed
    assert "PrivateTmp=yes" in service
    assert "ProtectHome=yes" in service


def test_the_configuration_for_the_socket_names_it(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.value == "socket.toml")
    (tmp_path / block.value).write_text(block.text)
    config = load_config(tmp_path / block.value)
    (name,) = re.findall(r"^FileDescriptorName=(.*)$", (UNITS / "pypihub.socket").read_text(), re.MULTILINE)
    assert config.server.endpoint == f"systemd:domain=INET:name={name}"
