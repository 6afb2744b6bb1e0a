"""The page about certificates: its deploy hook hands a renewed certificate over, as certbot would have it do."""

from __future__ import annotations

import grp
import os
import subprocess
from pathlib import Path

from support.certificates import write_authority_and_certificate
from support.fronts import replaced
from support.prose import ROOT, read_blocks

from pypihub.config import load_config


def test_the_hook_of_certbot_hands_the_files_over(tmp_path: Path) -> None:
    blocks = {block.value: block.text for block in read_blocks(ROOT / "docs/howto/tls.md") if block.mark == "file"}
    (lineage := tmp_path / "lineage").mkdir()
    (folder := tmp_path / "etc").mkdir()
    authority, crt, key = write_authority_and_certificate(lineage)
    (lineage / "fullchain.pem").write_bytes(crt.read_bytes() + authority.read_bytes())
    key.rename(lineage / "privkey.pem")
    group = grp.getgrgid(os.getegid()).gr_name
    hook = replaced(blocks["deploy-hook"], ("cd /etc/pypihub\n", f"cd {folder}\n"), ("-g ssl-cert ", f"-g {group} "))
    for _ in range(2):  # the second time the files are there already
        subprocess.run(["sh", "-c", hook], check=True, env=os.environ | {"RENEWED_LINEAGE": str(lineage)})
    (folder / "pypihub.toml").write_text(blocks["pypihub.toml"])
    tls = load_config(folder / "pypihub.toml").server.tls
    assert tls
    assert (tls.crt.stat().st_mode & 0o777, tls.key.stat().st_mode & 0o777) == (0o644, 0o640)
    assert sorted(file.name for file in folder.iterdir()) == ["pypihub.toml", "tls.crt", "tls.key"]
