"""Rankings as choice sets: the exploded logit."""

import numpy as np
from numpy.typing import NDArray

from mixlogit.data.values import Ints

__all__ = ["explode"]


def explode(choice: Ints, best: Ints) -> tuple[Ints, NDArray[np.bool_], Ints, Ints]:
    """Each ranking as the choices it consists of: the best of all, the best of the rest, ...

    Under the Plackett-Luce model a ranking has the probability of these choices (Plackett 1975;
    Beggs, Cardell and Hausman 1981). A choice is a ranking of its first place only.

    Args:
        choice: Judged set of each row, rising from 0.
        best: Rank of each row, 1 the best; 0 where it was not ranked.

    Returns:
        For each row of the choice sets: its set, whether it was chosen, and the row it comes
        from; and for each set the judgement it belongs to. A last choice among one is left out.

    Example:
        >>> choice, chosen, row, judgement = explode(np.array([0, 0, 0]), np.array([2, 1, 3]))
        >>> choice.tolist(), row.tolist(), chosen.tolist()
        ([0, 0, 0, 1, 1], [0, 1, 2, 0, 2], [False, True, False, True, False])
    """
    rows, stages, sets = [], [], []
    for stage in range(1, int(best.max()) + 1):
        open_ = np.flatnonzero((best == 0) | (best >= stage))
        has = np.zeros(int(choice[-1]) + 1, dtype=bool)
        has[choice[best == stage]] = True
        left = np.bincount(choice[open_], minlength=has.size)
        kept = open_[(has & (left > 1))[choice[open_]]]
        rows.append(kept)
        stages.append(np.full(kept.size, stage))
        sets.append(choice[kept])
    row, stage_of, set_of = (np.concatenate(part) for part in (rows, stages, sets))
    order = np.lexsort((row, stage_of, set_of))
    row, stage_of, set_of = row[order], stage_of[order], set_of[order]
    start = np.flatnonzero(np.diff(set_of, prepend=-1) | np.diff(stage_of, prepend=-1))
    new = np.zeros(row.size, dtype=np.int64)
    new[start] = 1
    judgement = np.unique(set_of[start], return_inverse=True)[1]
    return new.cumsum() - 1, best[row] == stage_of, row, judgement
