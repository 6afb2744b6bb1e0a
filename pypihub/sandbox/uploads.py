"""The host that takes uploads: a file becomes an asset of a release, piece by piece."""

import hashlib
import re
from pathlib import Path

from twisted.web.http_headers import Headers
from twisted.web.server import Request

from pypihub.sandbox.accounts import Caller
from pypihub.sandbox.answers import Answer, json_answer
from pypihub.sandbox.descriptions import asset_json
from pypihub.sandbox.endpoint import Asked, Endpoint, Premises, Reply
from pypihub.sandbox.faults import Effect, Plan
from pypihub.sandbox.gate import admission, refused, refused_to_write
from pypihub.sandbox.publishing import RejectedError, start_asset
from pypihub.sandbox.records import Asset
from pypihub.sandbox.visits import not_found, number, rejection

_DOCUMENTATION = "https://docs.github.com/rest"


class Uploads(Endpoint):
    """``POST /repos/OWNER/REPOSITORY/releases/ID/assets?name=…&label=…``; GitHub Enterprise has it at /api/uploads.

    An upload's asset is there, empty, from the moment when the head of the request was read. Whatever ends the upload
    before its time leaves the asset so, and its name stays taken until somebody deletes it.
    """

    where = "uploads"

    def begin(self, method: bytes, uri: bytes, headers: Headers) -> "Upload":
        """Look at the head of a request, and add the asset."""
        asked = self.read(method, uri, headers)
        plan = self.premises.faults.take(self.where)
        if plan.effect is Effect.NONE:
            undone = self.undone(asked)
            return Upload(self, asked, plan, undone.caller, undone.answer)
        caller, start = self._admit(asked)
        return Upload(self, asked, plan, caller, start)

    def _admit(self, asked: Asked) -> tuple[Caller | None, Answer | Asset]:
        """Return who calls, and the empty asset or why there is none."""
        admitted = admission(self.premises, asked)
        if admitted.refusal:
            return admitted.caller, admitted.refusal.plus(admitted.quota)
        try:
            start = refused(admitted.caller, _DOCUMENTATION) or self._start(asked, admitted.caller)
        except RejectedError as error:
            start = _refusal(asked, 422, {**rejection(error), "documentation_url": _DOCUMENTATION})
        return admitted.caller, start

    def _start(self, asked: Asked, caller: Caller | None) -> Answer | Asset:
        """Find the release and add the asset.

        :raises RejectedError: when the release does not take it.
        """
        match (asked.method, *asked.segments):
            case ("POST", "repos", owner, name, "releases", id_, "assets"):
                repository = self.premises.world.find_repository(owner, name)
            case _:
                return not_found(_DOCUMENTATION)
        if repository is None or repository.permission(caller) is None:
            return not_found(_DOCUMENTATION)
        refusal = refused_to_write(repository, caller, _DOCUMENTATION) or _misshapen(asked)
        if refusal or caller is None:
            return refusal or not_found(_DOCUMENTATION)
        release = self.premises.world.find_release(repository.database_id, number(id_))
        if release is None:
            return not_found(_DOCUMENTATION)
        return start_asset(
            release,
            asked.arguments["name"],
            int(asked.headers["content-length"]),
            uploader=caller.account,
            content_type=asked.headers["content-type"],
            label=asked.arguments.get("label", ""),
        )


class Upload:
    """One upload, from the head of its request to the answer; the bytes go to the world's shelf while they come.

    :param start: the asset to fill, or the answer of an upload that is not taken, whose bytes go nowhere.
    """

    def __init__(
        self, endpoint: Uploads, asked: Asked, plan: Plan, caller: Caller | None, start: Answer | Asset
    ) -> None:
        self._endpoint = endpoint
        self._premises: Premises = endpoint.premises
        self._asked = asked
        self._plan = plan
        self._caller = caller
        self._start = start
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._file = self._premises.world.shelf.open() if isinstance(start, Asset) else None

    def receive(self, data: bytes) -> bool:
        """Take a piece of the file; False where the connection is to be reset now."""
        self._size += len(data)
        self._sha256.update(data)
        if self._file:
            self._file.write(data)
        return self._plan.cut_after is None or self._size < self._plan.cut_after

    def complete(self, request: Request) -> None:
        """Fill the asset and answer."""
        self._endpoint.respond(request, self._asked, self._reply(self._finish()), self._plan)

    def lost(self) -> None:
        """Leave the asset empty; nobody is there to be answered."""
        self._throw_away()
        self._endpoint.record(self._asked, self._reply(Answer(0)), 0)

    def _reply(self, answer: Answer) -> Reply:
        return Reply(answer, self._caller, variables=self._asked.arguments)

    def _finish(self) -> Answer:
        """Return the true answer to a complete upload."""
        asset = self._start
        if isinstance(asset, Answer):
            return asset
        if self._plan.effect is Effect.HALF:
            self._throw_away()
            return _refusal(self._asked, 502, {"message": "Error saving asset"})
        if self._premises.world.node(asset.id) is None:
            self._throw_away()  # somebody deleted the asset or its release meanwhile
            return not_found(_DOCUMENTATION)
        if self._file:
            self._file.close()
            asset.fill(Path(self._file.name), self._size, self._sha256.hexdigest())
        return json_answer(201, asset_json(asset, self._premises.links))

    def _throw_away(self) -> None:
        """Forget the bytes that came."""
        if self._file:
            self._file.close()
            self._premises.world.shelf.discard(Path(self._file.name))


def _misshapen(asked: Asked) -> Answer | None:
    """Return what GitHub says to an upload that lacks what every upload must have."""
    length, kind = asked.headers.get("content-length", ""), asked.headers.get("content-type", "")
    if not asked.arguments.get("name"):
        return _refusal(asked, 400, {"message": "Invalid name for request"})
    if not re.fullmatch(r"[0-9]+", length):
        return _refusal(asked, 400, {"message": f"Bad Content-Length: {length}"})
    if not kind:
        return _refusal(asked, 400, {"message": "Invalid Content-Type: ''"})
    return None


def _refusal(asked: Asked, status: int, said: dict[str, object]) -> Answer:
    """Return an error in this host's own form, which names the request."""
    return json_answer(status, {**said, "request_id": asked.number})
