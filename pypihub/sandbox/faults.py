"""Which of the stand-in GitHub's answers fail, and how."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from pypihub.sandbox.answers import Answer
from pypihub.sandbox.failures import (
    Case,
    CutBody,
    CutUpload,
    Drop,
    Fault,
    GraphQLErrors,
    Hang,
    Held,
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
    "CutUpload",
    "Drop",
    "Effect",
    "Fault",
    "Faults",
    "GraphQLErrors",
    "Hang",
    "Held",
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

_PLACES = ("graphql", "rest", "storage", "uploads")
_WRITABLE = ("rest", "uploads")


class Effect(Enum):
    """What a write has come to by the time its answer is spoiled."""

    DONE = "done"
    """It was carried out, and only the answer is wrong or lost."""
    HALF = "half"
    """An upload's asset was added and left without its bytes, in the state ``starter``."""
    NONE = "none"
    """Nothing happened."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """A fault that is to happen: after so many calls, so many times (None: for ever)."""

    fault: Fault
    where: str
    times: int | None
    skip: int
    effect: Effect


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults that one call meets."""

    planned: Sequence[_Planned]

    @property
    def effect(self) -> Effect:
        """What the call may come to, if it is a write."""
        return next((one.effect for one in self.planned if one.effect is not Effect.DONE), Effect.DONE)

    @property
    def cut_after(self) -> int | None:
        """After how many bytes of its body the connection is to be cut, if at all."""
        return min((one.fault.after for one in self.planned if isinstance(one.fault, CutUpload)), default=None)

    def spoil(self, answer: Answer, case: Case) -> Answer:
        """Return what becomes of the true answer."""
        for one in self.planned:
            answer = one.fault.spoil(answer, case)
        return answer


class Faults:
    """The faults that are to happen, in the order in which they were added.

    A call meets every fault that lasts (`times` None, or a persistent rule), then the first of the others whose turn
    it is: two added one after the other with their defaults spoil the next call and the one after it.
    """

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def add(
        self,
        fault: Fault,
        *,
        where: str = "graphql",
        times: int | None = 1,
        skip: int = 0,
        effect: Effect = Effect.DONE,
    ) -> None:
        """Plan a fault.

        :param where: ``graphql``, ``rest``, ``storage`` or ``uploads``.
        :param times: how many calls it spoils; None for ever. Persistent faults stay for ever anyway.
        :param skip: how many calls to that place go well before.
        :param effect: what a write that meets the fault comes to all the same; where that is not all of it, the
            fault must be one that replaces the answer or loses it, for there is no true one.
        :raises ValueError: for another place, and for an effect that there cannot be.
        """
        if where not in _PLACES:
            raise ValueError(f"faults happen at {', '.join(_PLACES)}, not at {where!r}")
        if effect is not Effect.DONE and where not in _WRITABLE:
            raise ValueError(f"nothing is written at {where!r}")
        if effect is Effect.HALF and where != "uploads":
            raise ValueError("only an upload can be carried out by half")
        self._planned.append(_Planned(fault, where, None if fault.persistent else times, skip, effect))

    def clear(self) -> None:
        """Forget every fault; calls that were begun keep theirs."""
        self._planned.clear()

    def take(self, where: str) -> Plan:
        """Return what a call to that place meets, and count the call."""
        due = [planned for planned in self._planned if planned.where == where and planned.skip == 0]
        passing = [one for one in due if one.times is not None][:1]
        self._count(where, passing)
        return Plan([*(one for one in due if one.times is None), *passing])

    def _count(self, where: str, used: Sequence[_Planned]) -> None:
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
