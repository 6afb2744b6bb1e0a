"""Where the bytes of uploaded assets lie: a folder of its own, which goes when nobody needs it any more."""

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import BinaryIO


class Shelf:
    """A folder for uploaded files, made for the first of them; it goes with the shelf, or with the process."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def open(self) -> BinaryIO:
        """Return a new file to write to; its `name` is its path."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="pypihub-sandbox-"))
            weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        return tempfile.NamedTemporaryFile(dir=self._folder, delete=False)  # type: ignore[return-value]  # it is one

    def discard(self, content: bytes | Path) -> None:
        """Forget the bytes of an asset; files that lie elsewhere belong to somebody else and stay."""
        if isinstance(content, Path) and content.parent == self._folder:
            content.unlink(missing_ok=True)
