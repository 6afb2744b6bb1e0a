"""Write answers to sockets: after a delay, whole, cut short, or never."""

from dataclasses import replace
from io import BytesIO

from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request
from twisted.web.static import SingleRangeStaticProducer

from pypihub.sandbox.answers import Answer, Fate, Part


def deliver(reactor: IReactorTime, request: Request, answer: Answer) -> None:
    """Send an answer when its delay is over, unless the client goes before."""
    if answer.fate is Fate.HUNG:
        return
    if answer.until is not None:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)
        now = replace(answer, until=None)
        answer.until.addCallback(lambda _: None if gone else deliver(reactor, request, now))
        return
    if not answer.delay:
        _send(request, answer)
        return
    later = reactor.callLater(answer.delay, _send, request, answer)
    request.notifyFinish().addErrback(lambda _gone: later.cancel() if later.active() else None)


def _send(request: Request, answer: Answer) -> None:
    """Send an answer now."""
    if answer.fate is Fate.DROPPED:
        request.loseConnection()
        return
    request.setResponseCode(answer.status)
    for name, value in {"content-length": str(answer.size), **answer.headers}.items():
        request.setHeader(name, value.encode("latin-1"))
    if answer.cut is not None:
        request.write(_beginning(answer.body, answer.cut))
        request.loseConnection()
    elif isinstance(answer.body, Part) and request.method != b"HEAD":
        file = answer.body.path.open("rb")
        SingleRangeStaticProducer(request, file, answer.body.offset, answer.body.size).start()
    else:
        request.write(b"" if isinstance(answer.body, Part) else answer.body)
        request.finish()


def _beginning(body: bytes | Part, size: int) -> bytes:
    """Return the first bytes of a body."""
    if isinstance(body, bytes):
        return BytesIO(body).read(size)
    with body.path.open("rb") as file:
        file.seek(body.offset)
        return file.read(min(size, body.size))
