"""Plays a whole sequence, and cuts one that fails down to what is needed to see it fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from collections.abc import Sequence as List
from dataclasses import dataclass

from comparison import Comparison, Difference, shown, shown_bytes
from sequences import Kind, Step
from wire import decode

MINIMISE_SECONDS = 60.0


@dataclass
class Failure:
    """A difference, and the steps up to it."""

    steps: list[Step]
    difference: Difference


class Minimiser:
    """Cuts the steps of a failure down as long as what is left still shows a difference."""

    def __init__(self, comparison: Comparison, seconds: float = MINIMISE_SECONDS) -> None:
        self._comparison = comparison
        self._deadline = time.monotonic() + seconds

    def minimise(self, failure: Failure) -> Failure:
        best = self._shortest_end(failure)
        size = max(len(best.steps) // 2, 1)
        while time.monotonic() < self._deadline:
            smaller = self._without_a_part(best, size)
            if smaller is not None:
                best = smaller
            elif size == 1:
                break
            else:
                size //= 2
        return best

    def _shortest_end(self, failure: Failure) -> Failure:
        length = 1
        while length < len(failure.steps) and time.monotonic() < self._deadline:
            found = self._differs(failure.steps[-length:])
            if found is not None:
                return found
            length *= 2
        return failure

    def _without_a_part(self, failure: Failure, size: int) -> Failure | None:
        """The failure without as many parts of `size` steps as can be spared, if any can."""
        start, best = 0, None
        while start < len(failure.steps) and time.monotonic() < self._deadline:
            steps = failure.steps[:start] + failure.steps[start + size :]
            found = self._differs(steps) if steps else None
            if found is None:
                start += size
            else:
                best = failure = found
        return best

    def _differs(self, steps: list[Step]) -> Failure | None:
        return play_sequence(self._comparison, steps)


def play_sequence(comparison: Comparison, steps: List[Step]) -> Failure | None:
    """Plays the steps; the first difference, with the steps that led to it."""
    comparison.begin()
    played = 0
    try:
        for batch in batches(steps):
            played += len(batch)
            comparison.play_batch(batch)
    except Difference as difference:
        return Failure(list(steps[:played]), difference)
    return None


def batches(steps: List[Step]) -> Iterator[List[Step]]:
    """The steps in runs that are sent at once."""
    start = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or not _together(steps[start], steps[end]):
            yield steps[start:end]
            start = end


def _together(one: Step, other: Step) -> bool:
    return (
        one.joins and other.joins and one.batch == other.batch
        and one.connection == other.connection
    )  # fmt: skip


def told_steps(steps: List[Step]) -> str:
    lines, batch = [], None
    for step in steps:
        if batch != (step.batch, step.connection):
            batch = (step.batch, step.connection)
            protocol = "RESP3" if step.connection % 2 else "RESP2"
            lines.append(f"connection {step.connection} (begun in {protocol}):")
        if step.kind is Kind.CLOSING or not step.payload.startswith(b"*"):
            lines.append(f"    bytes {shown_bytes(step.payload)}")
        else:
            lines += [f"    {shown(command)}" for command in decode(step.payload)]
        if step.kind is not Kind.ORDINARY:
            lines[-1] += f"    ({step.kind.value})"
    return "\n".join(lines)
