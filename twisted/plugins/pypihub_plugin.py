"""Tells twistd of PyPIHub. It imports nothing of it: twistd reads this file whatever it is asked to run."""

from twisted.application.service import ServiceMaker

PyPIHub = ServiceMaker(  # type: ignore[no-untyped-call]  # Twisted's, not annotated
    "PyPIHub",
    "pypihub.daemon.tap",
    "GitHub Releases as a Python package index.",
    "pypihub",
)
