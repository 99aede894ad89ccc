"""Components and orders of the comparison graph, also where it is too large for a dense mark."""

import numpy as np
import pytest

from mixlogit.data import graph


@pytest.mark.parametrize("dense", [0, 5_000])
def test_components_and_orders(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "_DENSE", dense)
    first, second = np.array([5, 1, 1, 3]), np.array([4, 0, 0, 0])
    assert graph.components(first, second, 7).tolist() == [0, 0, 1, 0, 2, 2, 3]
    assert graph.is_ordered(first, second, 7)
    assert not graph.is_ordered(np.append(first, 0), np.append(second, 1), 7)
