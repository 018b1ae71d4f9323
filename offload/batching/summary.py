"""What a batch found: tables of results and instances, a ranking, performance profiles."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offload.errors import OffloadError
from offload.problem import METRICS
from offload.units import count, number

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["MEASURES", "Batch"]

MEASURES = ("objective", "seconds")
_EQUAL = 1e-6  # relative difference up to which two objectives are the same
_SHIFT = 1.0  # seconds added before a geometric mean of times is taken, and subtracted after
_COLUMNS = (
    "instance", "method", "seed", "status", "failure", "objective", "bound", "gap", "seconds",
    "cpu_seconds", "memory", "stopped", "reason", *METRICS, "tasks", "nodes", "minimize", "limits",
    "settings", "versions", "digest", "path", "file",
)  # fmt: skip
_NUMBERS = ("objective", "bound", "gap", "seconds", "cpu_seconds", "memory", *METRICS)
_COUNTS = ("seed", "tasks", "nodes")


class Batch:
    """The results of a batch.

    Attributes
    ----------
    missing
        Results that were asked for and are not there, as the batch was stopped.
    kept
        Results that were there before.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], missing: int = 0, kept: int = 0) -> None:
        self._rows = list(rows)
        self.missing, self.kept = missing, kept
        self._frame: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def failed(self) -> int:
        """How many results have no plan."""
        return sum(row["objective"] is None for row in self._rows)

    def to_frame(self) -> pd.DataFrame:
        """A row a result.

        Columns: instance, method (with what else sets it apart where one method ran under several
        settings), seed, status ("failed" where a solve came to no answer), failure (its kind),
        objective, bound, gap, seconds, cpu_seconds, memory (peak, bytes), stopped, reason, the
        metrics, tasks, nodes; minimize, limits, settings and versions as JSON; digest, path of the
        instance, file of the result.
        """
        if self._frame is None:
            self._frame = self._made()
        return self._frame.copy()

    def _made(self) -> pd.DataFrame:
        import pandas as pd

        names = _labels(self._rows)
        rows = [{**row, "method": name} for row, name in zip(self._rows, names, strict=True)]
        frame = pd.DataFrame(rows, columns=list(_COLUMNS))
        types: dict[str, Any] = {
            **dict.fromkeys(_NUMBERS, "float64"), **dict.fromkeys(_COUNTS, "Int64"),
        }  # fmt: skip
        return frame.astype(types)

    def failures(self) -> pd.DataFrame:
        """The results without a plan: instance, method, seed, status, failure, reason, path."""
        frame = self.to_frame()
        columns = ["instance", "method", "seed", "status", "failure", "reason", "path"]
        return frame.loc[frame["objective"].isna(), columns].reset_index(drop=True)

    def instances(self) -> pd.DataFrame:
        """A row an instance and goal.

        Columns: instance, tasks, nodes, minimize, limits; best (the least objective of all), by
        (the first method that found it), bound (the greatest of all, since each is a bound of the
        instance), gap between the two; then for each method its objective (of several seeds the
        best), seconds and cpu_seconds (of several the mean).
        """
        import pandas as pd

        frame = self._grouped()
        by = frame.groupby("group", sort=False)
        columns = ["instance", "tasks", "nodes", "minimize", "limits", "path"]
        table = by[columns].first()
        table["best"], table["bound"] = by["objective"].min(), by["bound"].max()
        best = frame["best"]
        first = frame[frame["objective"] <= best + _EQUAL * best.abs()].groupby("group", sort=False)
        table["by"] = first["method"].first()
        table["gap"] = _gaps(table["best"].to_numpy(float), table["bound"].to_numpy(float))
        order = [*columns[:-1], "best", "by", "bound", "gap"]
        parts = [table[order]]
        for name in dict.fromkeys(frame["method"]):
            mine = frame[frame["method"] == name].groupby("group", sort=False)
            part = pd.DataFrame({
                f"{name} objective": mine["objective"].min(),
                f"{name} seconds": mine["seconds"].mean(),
                f"{name} cpu_seconds": mine["cpu_seconds"].mean(),
            })  # fmt: skip
            parts.append(part)
        return pd.concat([*parts, table[["path"]]], axis=1).reset_index(drop=True)

    def ranking(self) -> pd.DataFrame:
        """A row a method, the best first.

        Columns: method, results, plans, optimal (proved), best (within 1e-6 of the best of all
        methods), ratio (geometric mean of objective over best), worst (the largest), gap (mean, to
        the best bound of all), seconds (mean), shifted_seconds (geometric mean, shifted by 1 s, as
        in benchmarks of solvers), cpu_seconds (mean). Ratios are over what has a plan; the order is
        by plans, ratio, then time.
        """
        import numpy as np
        import pandas as pd

        frame = self._grouped()
        rows = []
        for name in dict.fromkeys(frame["method"]):
            mine = frame[frame["method"] == name]
            ratio = mine["ratio"].to_numpy(float)
            ratio = ratio[np.isfinite(ratio)]
            spent = mine["seconds"].to_numpy(float)
            spent = spent[np.isfinite(spent)]
            plans = mine["objective"].notna()
            shifted = math.expm1(_mean(np.log1p(spent / _SHIFT))) * _SHIFT
            rows.append({
                "method": name, "results": len(mine), "plans": int(plans.sum()),
                "optimal": int((mine["status"] == "optimal").sum()),
                "best": int((ratio <= 1 + _EQUAL).sum()),
                "ratio": math.exp(_mean(np.log(ratio))),
                "worst": float(ratio.max()) if len(ratio) else math.nan,
                "gap": _mean(mine["to_bound"].to_numpy(float)[plans.to_numpy()]),
                "seconds": _mean(spent), "shifted_seconds": shifted,
                "cpu_seconds": mine["cpu_seconds"].mean(),
            })  # fmt: skip
        table = pd.DataFrame(rows)
        if len(table):
            table = table.sort_values(
                ["plans", "ratio", "shifted_seconds"], ascending=[False, True, True],
                kind="stable", ignore_index=True,
            )  # fmt: skip
        return table

    def profiles(self, measure: str = "objective") -> pd.DataFrame:
        """Performance profiles (Dolan, Moré 2002): how often each is within a factor of the best.

        Parameters
        ----------
        measure
            "objective", over all results; or "seconds" to a proof of the optimum, where only what
            is proved counts as solved.

        Returns
        -------
        DataFrame
            Columns method, ratio, share: the share of the method's results whose measure is at most
            ``ratio`` times the best of all methods on that instance (and seed). A step function:
            a row a step, from ratio 1 on.
        """
        import numpy as np
        import pandas as pd

        if measure not in MEASURES:
            known = ", ".join(MEASURES)
            raise OffloadError(f"measure: must be one of {known}, got {measure!r}")
        frame = self._grouped()
        if measure == "objective":
            ratio = frame["ratio"]
        else:
            spent = frame["seconds"].where(frame["status"] == "optimal")
            ratio = spent / spent.groupby([frame["group"], frame["seed"]]).transform("min")
        rows: list[pd.DataFrame] = []
        for name in dict.fromkeys(frame["method"]):
            mine = ratio[frame["method"] == name].to_numpy(float)
            solved = np.sort(np.maximum(mine[np.isfinite(mine)], 1.0))
            steps = np.unique(np.append(1.0, solved))
            share = np.searchsorted(solved, steps, side="right") / len(mine)
            rows.append(pd.DataFrame({"method": name, "ratio": steps, "share": share}))
        columns = ["method", "ratio", "share"]
        return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)

    def plot_profiles(self, ax: Axes | None = None, measure: str = "objective") -> Axes:
        """Draw :meth:`profiles`; see :func:`offload.plot.profiles`."""
        from offload.plot import profiles

        return profiles(self.profiles(measure), ax, measure)

    def _grouped(self) -> pd.DataFrame:
        """The results with their instance's number, its best objective, and their ratio to it."""
        import numpy as np

        frame = self.to_frame()
        nowhere = frame["path"].where(frame["digest"] == "", "")
        frame["group"] = frame.groupby(
            [frame["digest"] + nowhere, "minimize", "limits"], sort=False
        ).ngroup()
        groups = frame.groupby("group", sort=False)
        frame["best"] = groups["objective"].transform("min")
        value, best = frame["objective"].to_numpy(float), frame["best"].to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            frame["ratio"] = np.where(value == best, 1.0, value / best)
        frame["to_bound"] = _gaps(value, groups["bound"].transform("max").to_numpy(float))
        return frame

    def save(self, folder: str | Path) -> list[Path]:
        """Write the tables as CSV, as Parquet too where pyarrow is installed, into a folder.

        Files ``results``, ``instances``, ``ranking`` and ``profiles``, and ``profiles.svg`` where
        matplotlib is installed.

        Returns
        -------
        list of Path
            What was written.

        Raises
        ------
        OffloadError
            If a file cannot be written.
        """
        from offload.batching.tables import save

        return save(self, Path(folder))

    def __str__(self) -> str:
        plans = len(self) - self.failed
        proved = sum(row["status"] == "optimal" for row in self._rows)
        groups = len({(r["digest"] or r["path"], r["minimize"], r["limits"])
                      for r in self._rows})  # fmt: skip
        text = (
            f"{count(len(self), 'result')} of {count(groups, 'instance')}: {plans} with a plan "
            f"({proved} proved optimal), {self.failed} without"
        )
        return f"{text}; {self.missing} missing" if self.missing else text

    def _repr_html_(self) -> str:
        rank = self.ranking()
        body = rank.to_html(index=False, float_format=lambda value: number(value, 4), na_rep="-")
        return f"<p>{html.escape(str(self))}</p>{body}"


def _labels(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The method of each row, with the settings that set it apart from others of that method."""
    told: dict[tuple[str, str], dict[str, str]] = {}
    used: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        settings = (row["settings"], row["versions"])
        if settings not in told:
            texts = {key: json.dumps(value) for key, value in json.loads(settings[0]).items()}
            told[settings] = {**texts, **json.loads(settings[1])}
        values = used.setdefault(row["method"], {})
        for key, value in told[settings].items():
            values.setdefault(key, set()).add(value)
    apart = {
        method: [key for key, found in values.items() if len(found) > 1]
        for method, values in used.items()
    }
    return [
        " ".join([
            row["method"],
            *(f"{key}={told[row['settings'], row['versions']].get(key)}"
              for key in apart[row["method"]]),
        ])
        for row in rows
    ]  # fmt: skip


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _gaps(value: NDArray[np.float64], bound: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative gaps; rounding may have put a bound an ulp above another method's plan."""
    import numpy as np

    from offload.bounds import relative_gaps

    return np.maximum(relative_gaps(value, bound), 0.0)
