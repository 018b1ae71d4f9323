"""What a solve leaves behind if its process is killed: nothing, by a shell that outlives it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from types import TracebackType

__all__ = ["Guard"]

_GRACE = 2.0  # seconds that the shell may take to end

# Reads the child's number, and "done" once all is well. Where its input ends without that, the
# process that should have written it is gone, however it ended.
_SCRIPT = """
while read -r word; do
    [ "$word" = done ] && exit
    child=$word
done
[ -n "$child" ] && kill -KILL "$child"
rm -rf -- "$1"
"""


class Guard:
    """Kills a child and removes a folder if this process ends before leaving the context.

    Where there is no POSIX shell it does nothing. (The kernel's own means, PR_SET_PDEATHSIG, needs
    code between fork and exec, which is not safe in a process with threads, and removes no files.)
    """

    def __init__(self, folder: str) -> None:
        shell, self._shell = shutil.which("sh"), None
        if shell is not None:
            self._shell = subprocess.Popen(
                [shell, "-c", _SCRIPT, "offload-guard", folder], stdin=subprocess.PIPE, cwd="/",
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def watch(self, child: int) -> None:
        """Take note of the number of the child."""
        self._write(f"{child}\n")

    def _write(self, text: str) -> None:
        if self._shell is not None and self._shell.stdin is not None:
            with contextlib.suppress(OSError):  # somebody has killed it: we go on without
                self._shell.stdin.write(text.encode())
                self._shell.stdin.flush()

    def __enter__(self) -> Guard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shell is None or self._shell.stdin is None:
            return
        self._write("done\n")
        with contextlib.suppress(OSError):
            self._shell.stdin.close()
        try:
            self._shell.wait(_GRACE)
        except subprocess.TimeoutExpired:  # somebody has stopped it
            self._shell.kill()
            self._shell.wait()
