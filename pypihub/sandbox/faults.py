"""Which of the stand-in GitHub's answers fail, and how."""

from dataclasses import dataclass, replace

from pypihub.sandbox.answers import Answer
from pypihub.sandbox.failures import (
    Case,
    CutBody,
    Drop,
    Fault,
    GraphQLErrors,
    Hang,
    Html,
    Latency,
    LoginAttempts,
    NullNodes,
    PrimaryLimit,
    ResourceLimits,
    SecondaryLimit,
    Status,
    TooSlow,
)

__all__ = [
    "Case",
    "CutBody",
    "Drop",
    "Fault",
    "Faults",
    "GraphQLErrors",
    "Hang",
    "Html",
    "Latency",
    "LoginAttempts",
    "NullNodes",
    "PrimaryLimit",
    "ResourceLimits",
    "SecondaryLimit",
    "Status",
    "TooSlow",
]

_PLACES = ("graphql", "rest", "storage")


@dataclass(frozen=True, slots=True)
class _Planned:
    """A fault that is to happen: after so many calls, so many times (None: for ever)."""

    fault: Fault
    where: str
    times: int | None
    skip: int


class Faults:
    """The faults that are to happen, in the order in which they were added.

    A call meets every fault that lasts (`times` None, or a persistent rule), then the first of the others whose turn
    it is: two added one after the other with their defaults spoil the next call and the one after it.
    """

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def add(self, fault: Fault, *, where: str = "graphql", times: int | None = 1, skip: int = 0) -> None:
        """Plan a fault.

        :param where: ``graphql``, ``rest`` or ``storage``.
        :param times: how many calls it spoils; None for ever. Persistent faults stay for ever anyway.
        :param skip: how many calls to that place go well before.
        :raises ValueError: for another place.
        """
        if where not in _PLACES:
            raise ValueError(f"faults happen at {', '.join(_PLACES)}, not at {where!r}")
        self._planned.append(_Planned(fault, where, None if fault.persistent else times, skip))

    def clear(self) -> None:
        """Forget every fault; answers already on their way keep theirs."""
        self._planned.clear()

    def spoil(self, answer: Answer, case: Case) -> Answer:
        """Return what becomes of the true answer, and count the call."""
        lasting, passing = self._due(case.where)
        for planned in (*lasting, *passing[:1]):
            answer = planned.fault.spoil(answer, case)
        self._count(case.where, passing[:1])
        return answer

    def _due(self, where: str) -> tuple[list[_Planned], list[_Planned]]:
        """Return the lasting and the passing faults whose turn it is."""
        due = [planned for planned in self._planned if planned.where == where and planned.skip == 0]
        return [one for one in due if one.times is None], [one for one in due if one.times is not None]

    def _count(self, where: str, used: list[_Planned]) -> None:
        """Count a call: one less to skip for those that wait, one less to spoil for the one that was used."""
        counted = []
        for planned in self._planned:
            skip, times = planned.skip, planned.times
            if planned.where == where and skip:
                skip -= 1
            elif times is not None and any(planned is one for one in used):
                times -= 1
            if times != 0:
                counted.append(replace(planned, skip=skip, times=times))
        self._planned = counted
