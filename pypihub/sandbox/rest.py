"""The REST API, as far as it concerns assets, and the web's download pages on the same host."""

import re
from collections.abc import Mapping
from typing import Any

from pypihub.sandbox.accounts import Caller, Refusal
from pypihub.sandbox.answers import HTML, Answer, json_answer, message
from pypihub.sandbox.contents import asset_bytes
from pypihub.sandbox.endpoint import Asked, Endpoint, Premises, Reply
from pypihub.sandbox.gate import forbidden_without_agent, sso_header
from pypihub.sandbox.links import Links
from pypihub.sandbox.records import Asset, Repository
from pypihub.sandbox.schema import moment_text
from pypihub.sandbox.troubles import refusal_message

_DOCUMENTATION = "https://docs.github.com/rest/releases/assets#get-a-release-asset"
_NOT_FOUND = message(404, "Not Found", _DOCUMENTATION)


class Rest(Endpoint):
    """``GET /repos/OWNER/REPOSITORY/releases/assets/ID`` and ``GET /download/OWNER/REPOSITORY/TAG/NAME``.

    :param stream: answer asset downloads with the bytes instead of a redirect to storage.
    """

    where = "rest"

    def __init__(self, premises: Premises, *, stream: bool = False) -> None:
        super().__init__(premises)
        self._stream = stream

    def reply(self, asked: Asked) -> Reply:
        """Refuse whom GitHub would refuse, charge the others, and answer."""
        if "user-agent" not in asked.headers:
            return Reply(forbidden_without_agent())
        caller = None
        if asked.token is not None:
            caller = self.premises.world.authenticate(asked.token)
            if caller is None:
                return Reply(message(401, "Bad credentials"))
        now = self.premises.world.now()
        allowance = self.premises.quotas.spend(caller.account.login if caller else "", "core", 1, now)
        if allowance.exceeded:
            answer = message(403, f"API rate limit exceeded for user ID {caller.account.database_id if caller else 0}.")
        else:
            answer = self._answer(asked, caller)
        return Reply(answer.plus(allowance.headers), caller)

    def _answer(self, asked: Asked, caller: Caller | None) -> Answer:
        """Find out what is asked for."""
        match asked.segments:
            case _ if asked.method not in ("GET", "HEAD"):
                return _NOT_FOUND
            case ("download", owner, name, tag, file):
                return self._page(self.premises.world.find_repository(owner, name), tag, file)
            case _ if caller and caller.refusal:
                return _refused(caller, caller.refusal)
            case ("repos", owner, name, "releases", "assets", number):
                return self._asset(asked, caller, self.premises.world.find_repository(owner, name), number)
            case ("repositories", id_, "releases", "assets", number):
                return self._asset(asked, caller, self.premises.world.find_repository_numbered(_number(id_)), number)
            case _:
                return _NOT_FOUND

    def _asset(self, asked: Asked, caller: Caller | None, repository: Repository | None, number: str) -> Answer:
        """Answer with an asset's bytes or its description."""
        if repository is None or repository.permission(caller) is None:
            return _NOT_FOUND
        former_name = "/".join(asked.segments[1:3]).lower() != repository.name_with_owner.lower()
        if former_name and asked.segments[0] == "repos":
            return self._moved(repository, number)
        asset = self.premises.world.find_asset(repository.database_id, _number(number))
        if asset is None or (asset.release.is_draft and not repository.may_push(caller)):
            return _NOT_FOUND
        if asked.headers.get("accept", "").partition(";")[0].strip() != "application/octet-stream":
            return json_answer(200, _described(asset, self.premises.links))
        if self._stream:
            disposition = f"attachment; filename={asset.name}"
            return asset_bytes(asset, asked.headers, content_type=asset.content_type, disposition=disposition)
        return _found(self.premises.links.storage(asset))

    def _moved(self, repository: Repository, number: str) -> Answer:
        """Send a caller on who came by a former name."""
        target = f"{self.premises.links.api_url}/repositories/{repository.database_id}/releases/assets/{number}"
        return message(301, "Moved Permanently").plus({"location": target})

    def _page(self, repository: Repository | None, tag: str, file: str) -> Answer:
        """Answer as the web does, where no token counts: public files by redirect, an HTML page for all else."""
        release = repository.releases.get(tag) if repository and not repository.is_private else None
        asset = release.assets.get(file) if release and not release.is_draft else None
        if asset is None:
            return Answer(404, b"<!DOCTYPE html>\n<html><body>Not Found</body></html>\n", {"content-type": HTML})
        return _found(self.premises.links.storage(asset))


def _number(text: str) -> int:
    """Read a database id; what is none becomes 0, which is nobody's."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _found(address: str) -> Answer:
    """Return a redirect to storage."""
    return Answer(302, b"", {"content-type": HTML, "location": address, "cache-control": "no-cache"})


def _refused(caller: Caller, refusal: Refusal) -> Answer:
    """Return REST's words for a refusal; without its scope a token finds nothing."""
    status = 404 if refusal is Refusal.INSUFFICIENT_SCOPES else 403
    answer = message(status, refusal_message(refusal, caller.account), _DOCUMENTATION)
    return answer.plus(sso_header(caller)) if refusal is Refusal.SAML else answer


def _described(asset: Asset, links: Links) -> Mapping[str, Any]:
    """Return an asset as REST describes it."""
    return {
        "url": links.rest(asset),
        "browser_download_url": links.download(asset),
        "id": asset.database_id,
        "node_id": asset.id,
        "name": asset.name,
        "label": None,
        "state": "uploaded" if asset.size else "starter",
        "content_type": asset.content_type,
        "size": asset.size,
        "digest": asset.digest,
        "download_count": asset.download_count,
        "created_at": moment_text(asset.created_at),
        "updated_at": moment_text(asset.updated_at),
        "uploader": {"login": asset.uploaded_by.login, "id": asset.uploaded_by.database_id, "type": "User"},
    }
