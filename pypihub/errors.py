"""What can go wrong, in the domain's words.

Each error's text is one line that tells the user what to do; it never holds a token, a header or a signed
URL. Only `web` knows which status code an error becomes.
"""

from __future__ import annotations

from pypihub.lines import printable


class PyPIHubError(Exception):
    """The base of all errors that PyPIHub raises on purpose."""

    @property
    def message(self) -> str:
        """The error's text: one line for the user, whatever GitHub or a file put into it."""
        text = str(self.args[0]) if self.args else type(self).__name__
        return printable(text)


class ConfigError(PyPIHubError):
    """The configuration cannot be used; the text names the key and what it should be."""


class CommandError(PyPIHubError):
    """A command cannot do what it was told; the text says what to tell it instead."""


class CredentialsError(PyPIHubError):
    """The request carries no credentials, or none that can be a GitHub owner and token."""


class TokenRefusedError(PyPIHubError):
    """GitHub does not accept the token."""


class OwnerNotServedError(PyPIHubError):
    """This server is configured not to serve the owner."""


class ForbiddenError(PyPIHubError):
    """GitHub knows the token and refuses the request: SAML, an IP allow list, a missing scope or permission.

    `sso_url` is where the user authorizes the token for the organization, when GitHub tells.
    """

    def __init__(self, message: str, sso_url: str | None = None) -> None:
        super().__init__(f"{message} Authorize the token at {sso_url}" if sso_url else message)
        self.sso_url = sso_url


class NotFoundError(PyPIHubError):
    """GitHub says that it is not there, or it holds nothing that was asked for."""


class NotAcceptableError(PyPIHubError):
    """The client accepts none of the content types that there are."""


class UploadRefusedError(PyPIHubError):
    """What was uploaded cannot be published: the form, the file or the release does not fit; the text says why."""


class UploadTooLargeError(PyPIHubError):
    """The upload is larger than this server takes."""


class URLTooLongError(PyPIHubError):
    """The request's URL is longer than this server takes."""


class HeadTooLargeError(PyPIHubError):
    """The request's headers are larger than this server takes."""


class RateLimitedError(PyPIHubError):
    """GitHub's primary or secondary rate limit is reached.

    `retry_after` is the wait in seconds until GitHub answers again, when GitHub tells.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooManyLoginsError(RateLimitedError):
    """So many logins from the client's address failed that it has to wait; GitHub is not asked."""


class UpstreamError(PyPIHubError):
    """GitHub answered with something that is no answer: 5xx, HTML, cut JSON, partial data."""


class UpstreamUnreachableError(UpstreamError):
    """No connection to GitHub could be made, or it broke."""


class BusyError(PyPIHubError):
    """So much is under way already that one more request is not taken."""

    def __init__(self, message: str = "Too many requests wait for GitHub already. Try again in a moment.") -> None:
        super().__init__(message)


class StoppingError(PyPIHubError):
    """The server is being stopped, and nobody will finish what was asked for."""

    def __init__(self) -> None:
        super().__init__("PyPIHub is being stopped. Try again in a moment.")


class UpstreamTimeoutError(UpstreamError):
    """GitHub did not answer in time."""
