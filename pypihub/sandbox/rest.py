"""The REST API, as far as it concerns releases, and the web's download pages on the same host."""

from urllib.parse import quote, urlencode

from pypihub.sandbox.accounts import Caller
from pypihub.sandbox.answers import Answer, json_answer
from pypihub.sandbox.assets import Assets
from pypihub.sandbox.descriptions import repository_json
from pypihub.sandbox.endpoint import Asked, Endpoint, Premises, Reply
from pypihub.sandbox.gate import admission, refused
from pypihub.sandbox.records import Repository
from pypihub.sandbox.releases import Releases
from pypihub.sandbox.visits import Visit, json_object, not_found, number

_DOCUMENTATION = "https://docs.github.com/rest"


class Rest(Endpoint):
    """``/repos/OWNER/REPOSITORY``, its releases and their assets, and ``GET /download/OWNER/REPOSITORY/TAG/NAME``.

    :param stream: answer asset downloads with the bytes instead of a redirect to storage.
    """

    where = "rest"

    def __init__(self, premises: Premises, *, stream: bool = False) -> None:
        super().__init__(premises)
        self._releases = Releases(premises.world, premises.links)
        self._assets = Assets(premises.world, premises.links, stream=stream)

    def reply(self, asked: Asked) -> Reply:
        """Refuse whom GitHub would refuse, charge the others, and answer."""
        admitted = admission(self.premises, asked)
        answer = admitted.refusal or self._answer(asked, admitted.caller)
        sent = json_object(asked.body)
        variables = {} if isinstance(sent, Answer) else sent
        return Reply(answer.plus(admitted.quota), admitted.caller, variables=variables)

    def _answer(self, asked: Asked, caller: Caller | None) -> Answer:
        """Find out which repository a call is about."""
        world = self.premises.world
        match asked.segments:
            case ("download", owner, name, tag, file) if asked.method in ("GET", "HEAD"):
                return self._assets.download_page(world.find_repository(owner, name), tag, file)
            case ("repos", owner, name, *way):
                repository = world.find_repository(owner, name)
                former = repository is not None and f"{owner}/{name}".lower() != repository.name_with_owner.lower()
            case ("repositories", id_, *way):
                repository, former = world.find_repository_numbered(number(id_)), False
            case _:
                return not_found(_DOCUMENTATION)
        refusal = refused(caller, _DOCUMENTATION)
        if refusal:
            return refusal
        if repository is None or repository.permission(caller) is None:
            return not_found(_DOCUMENTATION)
        if former:
            return self._moved(asked, repository, way)
        return self._about(Visit(asked, caller, repository), way)

    def _about(self, visit: Visit, way: list[str]) -> Answer:
        """Answer a call about a repository; `way` is the path below it."""
        releases, assets = self._releases, self._assets
        match (visit.method, *way):
            case ("GET",):
                answer = json_answer(200, repository_json(visit.repository, visit.caller, self.premises.links))
            case ("GET", "releases"):
                answer = releases.listing(visit)
            case ("POST", "releases"):
                answer = releases.create(visit)
            case ("GET", "releases", "tags", *tag):
                answer = releases.by_tag(visit, "/".join(tag))
            case ("GET", "releases", "assets", id_):
                answer = assets.get(visit, id_)
            case ("PATCH", "releases", "assets", id_):
                answer = assets.edit(visit, id_)
            case ("DELETE", "releases", "assets", id_):
                answer = assets.delete(visit, id_)
            case ("GET", "releases", id_):
                answer = releases.by_number(visit, id_)
            case ("PATCH", "releases", id_):
                answer = releases.edit(visit, id_)
            case ("DELETE", "releases", id_):
                answer = releases.delete(visit, id_)
            case ("GET", "releases", id_, "assets"):
                answer = releases.assets(visit, id_)
            case _:
                answer = not_found(_DOCUMENTATION)
        return answer

    def _moved(self, asked: Asked, repository: Repository, way: list[str]) -> Answer:
        """Send a caller on who came by a former name; 307 tells them to send a write once more."""
        path = "/".join(["repositories", str(repository.database_id), *(quote(segment, safe="") for segment in way)])
        query = f"?{urlencode(asked.arguments)}" if asked.arguments else ""
        target = f"{self.premises.links.api_url}/{path}{query}"
        status, text = (301, "Moved Permanently") if asked.method in ("GET", "HEAD") else (307, "Temporary Redirect")
        sent = {"message": text, "url": target, "documentation_url": _DOCUMENTATION}
        return json_answer(status, sent, {"location": target})
