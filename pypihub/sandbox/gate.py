"""Refusals that GraphQL and REST have in common."""

from collections.abc import Mapping

from pypihub.sandbox.accounts import Caller
from pypihub.sandbox.answers import HTML, Answer


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
