"""Least period of a pipeline over chains of ideals: the recursion of `replicated_stages`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from formulations.replica_layers import Layers
from offload.arrays import FloatArray, IntArray

__all__ = ["Search", "Times", "stage_times"]

_ROUNDING = 1e-12  # relative: sums of layers in another order are the same period


class Times(NamedTuple):
    """Seconds of a stage, of one or of many: its worker's per input, and the pipeline's."""

    synchronisation: FloatArray
    transfer: FloatArray
    total: FloatArray


def stage_times(
    seconds: FloatArray, parameters: FloatArray, boundary: FloatArray, replicas: int, rate: float
) -> Times:
    """t(s, r) of the model, from c, w, the larger of the two a (0 without transfers), r and B."""
    synchronisation = 4.0 * (replicas - 1) * parameters / (replicas * rate)
    transfer = boundary / (rate * replicas)
    total = np.maximum((seconds + synchronisation) / replicas, transfer)
    return Times(synchronisation, transfer, total)


class Search:
    """Chains among some ideals, as bits, smaller ones first, on so many workers."""

    def __init__(self, layers: Layers, ideals: list[int], workers: int, transfers: bool) -> None:
        self.layers = layers
        self.ideals = ideals
        self.workers = workers
        width = -(-max(len(layers.tasks), 1) // 64)
        raw = b"".join(ideal.to_bytes(8 * width, "little") for ideal in ideals)
        self._words = np.frombuffer(raw, "<u8").reshape(len(ideals), width)
        self.seconds = self._sums(layers.seconds)
        self.parameters = self._sums(layers.parameters)
        self.boundary = np.zeros(len(ideals))
        if transfers:
            crossing = [
                sum(size for bits, size in layers.items if bits & ideal and bits & ~ideal)
                for ideal in ideals
            ]
            self.boundary = np.array(crossing, float)

    def stages(self) -> list[tuple[int, int, int]] | None:
        """Inner and outer ideal of each stage, by position, and its replicas.

        ``None`` where no pipeline fits on the workers.
        """
        period = self._least_period()
        if not np.isfinite(period):
            return None
        return self._fewest_workers(period * (1 + _ROUNDING))

    def _sums(self, values: list[float]) -> FloatArray:
        """Sum over the layers of each ideal."""
        sums = [
            sum(value for i, value in enumerate(values) if ideal >> i & 1) for ideal in self.ideals
        ]
        return np.array(sums, float)

    def _stages_to(self, outer: int) -> tuple[IntArray, list[FloatArray]]:
        """Ideals within one, and the seconds of the stages between on 1, 2, ... replicas."""
        inner = np.flatnonzero(~(self._words[:outer] & ~self._words[outer]).any(axis=1))
        seconds = self.seconds[outer] - self.seconds[inner]
        parameters = self.parameters[outer] - self.parameters[inner]
        boundary = np.maximum(self.boundary[outer], self.boundary[inner])
        times = [
            stage_times(seconds, parameters, boundary, replicas, self.layers.bandwidth).total
            for replicas in range(1, self.workers + 1)
        ]
        misfit = parameters > self.layers.memory * (1 + _ROUNDING)
        for time in times:
            time[misfit] = np.inf
        return inner.astype(np.int32), times

    def _least_period(self) -> float:
        """A(all layers, N) of the recursion."""
        best = np.full((len(self.ideals), self.workers + 1), np.inf)
        best[0] = 0.0
        for outer in range(1, len(self.ideals)):
            inner, times = self._stages_to(outer)
            row, before = best[outer], best[inner]
            for replicas, time in enumerate(times, 1):
                left = before[:, : self.workers + 1 - replicas]
                longest = np.maximum(left, time[:, None]).min(axis=0)
                np.minimum(row[replicas:], longest, out=row[replicas:])
        return float(best[-1, -1])

    def _fewest_workers(self, period: float) -> list[tuple[int, int, int]]:
        """Of the pipelines that reach a period, one of the fewest workers, then stages."""
        stride = len(self.layers.tasks) + 1  # above any number of stages
        cost = np.zeros(len(self.ideals), np.int64)
        choice = np.zeros((len(self.ideals), 2), np.int64)
        for outer in range(1, len(self.ideals)):
            inner, times = self._stages_to(outer)
            needed = np.full(len(inner), self.workers + 1, np.int64)
            for replicas in range(self.workers, 0, -1):
                needed[times[replicas - 1] <= period] = replicas
            # A prefix that is out of reach costs more than all workers, and so does what follows.
            total = cost[inner] + needed * stride + 1
            least = int(total.argmin())
            cost[outer] = total[least]
            choice[outer] = inner[least], needed[least]
        found = []
        outer = len(self.ideals) - 1
        while outer > 0:
            inner_one, replicas = choice[outer].tolist()
            found.append((inner_one, outer, replicas))
            outer = inner_one
        return found[::-1]
