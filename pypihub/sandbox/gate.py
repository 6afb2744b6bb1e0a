"""Who is let in and who may write, and what GitHub tells the others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

from pypihub.sandbox.access import Guarded
from pypihub.sandbox.accounts import Caller, Refusal
from pypihub.sandbox.answers import HTML, Answer, message
from pypihub.sandbox.endpoint import Asked, Premises
from pypihub.sandbox.troubles import refusal_message


@dataclass(frozen=True, slots=True)
class Admission:
    """Who calls REST, why they are turned away at once if they are, and the headers that tell of their quota."""

    caller: Caller | None = None
    refusal: Answer | None = None
    quota: Mapping[str, str] = field(default_factory=dict)


def admission(premises: Premises, asked: Asked) -> Admission:
    """Look at who calls REST, and charge them."""
    if "user-agent" not in asked.headers:
        return Admission(refusal=forbidden_without_agent())
    caller = None
    if asked.token is not None:
        caller = premises.world.authenticate(asked.token)
        if caller is None:
            return Admission(refusal=message(401, "Bad credentials"))
    login, number = (caller.account.login, caller.account.database_id) if caller else ("", 0)
    allowance = premises.quotas.spend(login, "core", 1, premises.world.now())
    refusal = message(403, f"API rate limit exceeded for user ID {number}.") if allowance.exceeded else None
    return Admission(caller, refusal, allowance.headers)


def refused(caller: Caller | None, documentation: str) -> Answer | None:
    """Return REST's words for a token that GitHub refuses; without its scope a token finds nothing."""
    if caller is None or caller.refusal is None:
        return None
    status = 404 if caller.refusal is Refusal.INSUFFICIENT_SCOPES else 403
    answer = message(status, refusal_message(caller.refusal, caller.account), documentation)
    return answer.plus(sso_header(caller)) if caller.refusal is Refusal.SAML else answer


def refused_to_write(repository: Guarded, caller: Caller | None, documentation: str) -> Answer | None:
    """Return what GitHub tells somebody who may see a repository and may not write to it; None to whoever may.

    A classic token is told nothing, a fine-grained one what it lacks.
    """
    if caller is None:
        return message(401, "Requires authentication", documentation)
    if not repository.may_push(caller) and caller.fine_grained:
        answer = message(403, refusal_message(Refusal.MISSING_PERMISSION, caller.account), documentation)
        return answer.plus({"x-accepted-github-permissions": "contents=write"})
    if not repository.may_push(caller):
        return message(404, "Not Found", documentation)
    if repository.is_archived:
        return message(403, "Repository was archived so is read-only.", documentation)
    return None


def forbidden_without_agent() -> Answer:
    """Return what GitHub tells a client that does not say what it is."""
    text = (
        "Request forbidden by administrative rules. Please make sure your request has a User-Agent header "
        "(https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent). "
        "Check https://developer.github.com for other possible causes.\r\n"
    )
    return Answer(403, text.encode(), {"content-type": HTML})


def sso_header(caller: Caller) -> Mapping[str, str]:
    """Return the header that tells where a token can be authorized for single sign-on."""
    address = f"https://github.com/orgs/{caller.account.login}/sso?authorization_request=A0B1C2"
    return {"x-github-sso": f"required; url={address}"}


def expiry_header(caller: Caller) -> Mapping[str, str]:
    """Return the header that tells when a token ends."""
    if caller.expires_at is None:
        return {}
    return {"github-authentication-token-expiration": f"{caller.expires_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"}
