"""CBC as a child process in a directory of its own: both are gone when the solve ends.

They are gone too when this process is killed meanwhile: see :mod:`formulations.milp_guard`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pulp
from pulp.apis.coin_api import COIN_CMD, PULP_CBC_CMD

from formulations.milp_engine import (
    POLL,
    TOLERANCE,
    Control,
    Outcome,
    can_write,
    columns_of,
    pulp_status,
    write,
)
from formulations.milp_guard import Guard
from offload.errors import SolverUnavailable

__all__ = ["ChildCBC", "cbc_path", "cbc_version"]

GRACE = 0.5  # seconds between asking the child to stop, when it still writes its plan, and killing
_DIGITS = 1e-7  # relative error of a bound in the lines of CBC's log
_DECIMALS = 1e-3  # absolute error of the bound in its last lines

# Result line of the log -> (proof, stopped).
_ENDINGS = {
    "Optimal solution found": ("optimal", None),
    "Optimal solution found (within gap tolerance)": ("optimal", None),
    "Problem proven infeasible": ("infeasible", None),
    "Linear relaxation infeasible": ("infeasible", None),
    "Stopped on time limit": (None, "time"),
    "Stopped on node limit": (None, "work"),
}
_PRESOLVED = r"^(Problem is infeasible|Pre-processing says infeasible or unbounded)"


@cache
def cbc_path() -> str | None:
    """Where CBC is: the one that PuLP brings, else one on the search path, else ``None``."""
    for path in (getattr(PULP_CBC_CMD, "pulp_cbc_path", None), shutil.which("cbc")):
        if path and os.access(path, os.X_OK):
            return str(path)
    return None


@cache
def cbc_version() -> str:
    """Version that CBC gives of itself."""
    command = [str(cbc_path()), "-quit"]
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"Version:\s*(\S+)", text)
    return found.group(1) if found else "unknown"


class ChildCBC(COIN_CMD):
    """CBC, watched while it runs: stopped in time, killed if it does not stop, its log read."""

    def __init__(self, control: Control) -> None:
        path = cbc_path()
        if path is None:
            raise SolverUnavailable("cbc does not load here; install pulp>=3.3,<4, which has CBC")
        super().__init__(path=path, msg=False)  # type: ignore[no-untyped-call]
        self.control = control
        self.outcome = Outcome()
        self._told = -float("inf")

    def actualSolve(self, lp: pulp.LpProblem, **kwargs: Any) -> int:  # noqa: N802
        """Write the problem (a minimization), run the child, read solution and log."""
        objective: Any = lp.objective
        self._constant = float(objective.constant)  # CBC drops it
        with tempfile.TemporaryDirectory(prefix="offload-cbc-") as folder, Guard(folder) as guard:
            place = Path(folder)
            columns = self._write_problem(place / "problem.mps", lp)
            if self.control.warm:
                self._write_start(place / "start.sol", columns)
            reason = self._run(place, guard)
            self._read_solution(place / "found.sol", columns)
            self._read_log((place / "log").read_text(errors="replace"), lp, reason)
        status, solution = pulp_status(self.outcome)
        lp.assignStatus(status, solution)  # type: ignore[no-untyped-call]
        return status

    def _command(self, place: Path) -> list[str]:
        control = self.control
        seed = str(control.seed % 2**31 or 1)  # 0 would take the clock
        options: dict[str, object] = {
            "primalT": TOLERANCE, "dualT": TOLERANCE, "integerT": TOLERANCE,
            "ratio": control.gap, "allow": 0, "increment": TOLERANCE,
            "randomSeed": seed, "randomCbcSeed": seed, "timeMode": "elapsed",
        }  # fmt: skip
        if control.seconds < 1e9:
            options["sec"] = max(control.seconds_left, 0.01)
        if control.nodes is not None:
            options["maxNodes"] = control.nodes
        if (control.threads or 1) > 1:
            options["threads"] = control.threads
        command = [str(self.path), str(place / "problem.mps")]
        for name, value in options.items():
            command += [f"-{name}", str(value)]
        if control.warm:
            command += ["-mipstart", str(place / "start.sol")]
        command += ["-solve", "-printingOptions", "all", "-solution", str(place / "found.sol")]
        return command

    def _run(self, place: Path, guard: Guard) -> str | None:
        """Run the child to its end or ours; why it was stopped, if it was."""
        reason: str | None = None
        with open(place / "log", "wb") as log, open(place / "log", errors="replace") as read:
            child = subprocess.Popen(
                self._command(place), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=place, start_new_session=True,
            )  # fmt: skip
            try:
                guard.watch(child.pid)
                while reason is None and child.poll() is None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(POLL)
                    reason = self.control.stopped()
                    self._tell_bound(read.read())
                if child.poll() is None:  # CBC writes the solution that it has on an interrupt
                    child.send_signal(signal.SIGINT)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(GRACE)
            finally:
                if child.poll() is None:
                    child.kill()
                child.wait()
        return reason

    def _write_problem(self, path: Path, lp: pulp.LpProblem) -> dict[str, pulp.LpVariable]:
        """The problem as a file, by HiGHS where it loads; the variables by their names there.

        PuLP's own writer takes 5 times as long, and looks at no clock meanwhile.
        """
        if can_write():
            return write(lp, columns_of(lp, self.control.go_on), path)
        variables, names, _, _ = lp.writeMPS(str(path), rename=1)
        return {names[v.name]: v for v in variables}

    def _tell_bound(self, log: str) -> None:
        bound = _last_bound(log)
        if bound is not None and bound + self._constant > self._told:
            self._told = bound + self._constant
            self.control.on_bound(self._told)

    def _write_start(self, path: Path, columns: dict[str, pulp.LpVariable]) -> None:
        rows = ["Feasible - objective value 0"]
        for c, (name, variable) in enumerate(columns.items()):
            if variable.varValue is not None:
                rows.append(f"{c} {name} {variable.varValue:.15g} 0")
        path.write_text("\n".join(rows) + "\n")

    def _read_solution(self, path: Path, columns: dict[str, pulp.LpVariable]) -> None:
        for variable in columns.values():
            variable.varValue = None
        if not path.exists():
            return
        for line in path.read_text().splitlines()[1:]:
            words = line.replace("**", "").split()
            if len(words) >= 3 and words[1] in columns:
                columns[words[1]].varValue = float(words[2])

    def _read_log(self, log: str, lp: pulp.LpProblem, reason: str | None) -> None:
        """Proof, bound and reason to stop from CBC's own words; its file's status has no bound."""
        out = self.outcome
        endings = re.findall(r"^Result - (.*?)\s*$", log, re.MULTILINE)
        ending = endings[-1] if endings else ""
        if not endings and re.search(_PRESOLVED, log, re.MULTILINE):
            ending = "Problem proven infeasible"  # every objective here is bounded from below
        out.proof, out.stopped = _ENDINGS.get(ending, (None, reason))
        if out.proof is None and out.stopped is None:
            out.note = f"CBC ended with {ending or log[-200:]!r}"
        value = re.search(r"^Objective value:\s*(\S+)", log, re.MULTILINE)
        out.found = out.proof != "infeasible" and value is not None
        nodes = re.search(r"^Enumerated nodes:\s*(\d+)", log, re.MULTILINE)
        out.nodes = int(nodes.group(1)) if nodes else 0
        if value is not None and ending == "Optimal solution found":
            out.bound = float(value.group(1)) + self._constant
        elif out.proof != "infeasible":
            bound = _last_bound(log)
            out.bound = None if bound is None else bound + self._constant
        if out.found:
            self.control.on_solution()
            return
        for variable in lp.variables():
            variable.varValue = None


def _last_bound(log: str) -> float | None:
    """The last bound that a log speaks of, less the digits that it does not print."""
    shown = re.findall(r"best possible (\S+?)[)\s]", log)
    result = re.findall(r"^Lower bound:\s*(\S+)", log, re.MULTILINE)
    if shown:
        bound = float(shown[-1])
        bound -= _DIGITS * abs(bound)
    elif result:
        bound = float(result[-1]) - _DECIMALS
    else:
        return None
    return bound if abs(bound) < 1e40 else None
