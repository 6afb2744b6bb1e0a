"""How much of their hourly quota callers have used."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

GITHUB_QUOTA = 5000
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a quota after a call. `exceeded`: the call was one too many."""

    resource: str
    limit: int
    used: int
    remaining: int
    reset_at: datetime
    exceeded: bool = False

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that tell a client."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(int(self.reset_at.timestamp())),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-resource": self.resource,
        }


class Quotas:
    """Counts what every caller spends of each resource (``graphql`` or ``core``).

    :param quota: points an hour, refused beyond; None counts against GitHub's 5,000 and refuses nothing, so that load
        tests run on: `remaining` then stays at 1 at least.
    """

    def __init__(self, quota: int | None = None) -> None:
        self._quota = quota
        self._windows: dict[tuple[str, str], tuple[datetime, int]] = {}

    def spend(self, login: str, resource: str, points: int, now: datetime) -> Allowance:
        """Take points off a caller's quota; an exceeded quota is not charged."""
        reset_at, used = self._windows.get((login, resource), (now + _HOUR, 0))
        if reset_at <= now:
            reset_at, used = now + _HOUR, 0
        limit = GITHUB_QUOTA if self._quota is None else self._quota
        exceeded = self._quota is not None and used + points > limit
        if not exceeded:
            used += points
        self._windows[login, resource] = reset_at, used
        remaining = 0 if exceeded else max(limit - used, 0 if self._quota is not None else 1)
        return Allowance(resource, limit, used, remaining, reset_at, exceeded)
