"""Ways of breaking a plan that holds: each breaks one known rule, by far more than the tolerance.

A corruption edits a :class:`plan_documents.Case` and says whether it found a place to do so. Some
edit the plan; some tighten the instance under it, which breaks one rule and nothing else. With a
corruption goes the set of rules that it may break besides.
"""

from __future__ import annotations

from corrupted_capacities import OF_SHARED
from corrupted_tasks import OF_TASKS
from corrupted_transfers import OF_TRANSFERS
from corrupting import Corruption

__all__ = ["CORRUPTIONS", "Corruption"]

CORRUPTIONS: list[Corruption] = [*OF_TASKS, *OF_TRANSFERS, *OF_SHARED]
