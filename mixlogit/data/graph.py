"""The comparison graph: items are nodes, comparisons are edges."""

from typing import Any

import numpy as np

from mixlogit.data.values import Ints

__all__ = ["components", "is_ordered"]

_DENSE = 5_000  # items up to which all possible edges are marked in one array of bytes


def components(first: Ints, second: Ints, n_items: int) -> Ints:
    """Connected component of each item, numbered by first item.

    Utilities can be compared within a component only: nothing links two components.

    Args:
        first: `comparison`-vector of item codes.
        second: The same for the other item.
        n_items: Number of items.

    Returns:
        `item`-vector of component numbers from 0.

    Example:
        >>> components(np.array([0, 2]), np.array([1, 3]), 4).tolist()
        [0, 0, 1, 1]
    """
    from scipy.sparse.csgraph import connected_components

    _, found = connected_components(_edges(first, second, n_items), directed=False)
    _, at, inverse = np.unique(found, return_index=True, return_inverse=True)
    rank = np.empty_like(at)
    rank[np.argsort(at)] = np.arange(at.size)
    return rank[inverse].astype(np.int64)


def is_ordered(winner: Ints, loser: Ints, n_items: int) -> bool:
    """Whether one order of the items explains every choice: no circle of wins.

    Then Bradley-Terry utilities grow without bound unless a prior holds them (Ford, 1957:
    they are finite if and only if the graph of wins is strongly connected).

    Args:
        winner: Item code of the winner of each decided comparison.
        loser: The same for the loser.
        n_items: Number of items.

    Returns:
        True if no item beats itself along any path of wins.

    Example:
        >>> is_ordered(np.array([0, 1]), np.array([1, 2]), 3)
        True
        >>> is_ordered(np.array([0, 1, 2]), np.array([1, 2, 0]), 3)
        False
    """
    from scipy.sparse.csgraph import connected_components

    strong, _ = connected_components(_edges(winner, loser, n_items), connection="strong")
    return bool(strong == n_items)


def _edges(first: Ints, second: Ints, n_items: int) -> Any:
    """Distinct edges as a sparse matrix; duplicates are merged first, to keep it small."""
    from scipy.sparse import coo_array

    edges = first * n_items + second
    if n_items <= _DENSE:
        seen = np.zeros(n_items * n_items, dtype=bool)
        seen[edges] = True
        edges = np.flatnonzero(seen)
    else:
        edges = np.unique(edges)
    ones = np.ones(edges.size, dtype=np.int8)
    return coo_array((ones, (edges // n_items, edges % n_items)), shape=(n_items, n_items)).tocsr()
