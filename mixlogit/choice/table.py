"""The panel likelihood table: one pass over the comparisons, then everything is cheap.

For given margins the likelihood of a respondent is a function of one number, the strength b:
`L_a(b) = sum_i w_i log(lapse/2 + (1 - lapse) sigmoid(b d_ai))`, with `d` the margin, positive
where the recorded choice agrees with it. The table holds `L_a` on a uniform grid, so that every
family, group structure and hyper-parameter value afterwards costs respondents x nodes and not
comparisons. It is a sum: `TableSums` are added to block by block, and to those of processes.

`L_a` is analytic in `log b` with its nearest singularity pi/2 off the real axis whatever the
data are, so a step of log(2)/5 and ten-point interpolation give it anywhere (5e-7 nats at 5,000
votes). Signed families use `b = c sinh(v)`, which has the same strip when `c max|d| <= pi`. The
lapse rate is tabulated at Chebyshev nodes of its logit, where the strip is pi wide.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.choice.runs import OCTAVE, add_runs, are_long, in_octaves

__all__ = [
    "STEP",
    "Grid",
    "LikelihoodTable",
    "TableSums",
    "bends_fast",
    "chebyshev_nodes",
    "fineness",
    "grid_of_size",
    "likelihood_table",
    "strength_grid",
]

STEP = math.log(2.0) / OCTAVE
# Reach in log strength around 1 / rms(margin). Above, every vote is decided; below, gamma strength
# of cv 3 leaves half its people under exp(-7), whom 30 votes one way tell apart by 5e-3 nats.
_BELOW, _ABOVE = 12.0, 7.0
_SMALL, _ORDER = 0.25, 7  # below: a series of this order, good to 1e-9 a comparison
_INFORMATION, _VOTES = 50.0, 150.0  # more than these, and a panel is long
_BLOCK = 1 << 18  # elements of comparisons x nodes worked on at once


@dataclass(frozen=True)
class Grid:
    """A uniform grid in a coordinate v of strength.

    Attributes:
        low: First node, in v.
        step: Distance of nodes, in v.
        size: Number of nodes.
        curvature: None for `v = log b`; c for the signed `v = asinh(b / c)`.
    """

    low: float
    step: float
    size: int
    curvature: float | None = None

    def coordinate(self) -> Tensor:
        """The families' coordinate u at each node: log strength, or strength where signed."""
        v = self.low + self.step * torch.arange(self.size, dtype=torch.float64)
        return v if self.curvature is None else self.curvature * v.sinh()

    def finer(self, times: int) -> "Grid":
        """The same reach with so many nodes for one."""
        size = (self.size - 1) * times + 1
        return Grid(self.low, self.step / times, size, self.curvature)

    def node_nearest_zero(self) -> int:
        """Index of the node of the smallest absolute strength."""
        return 0 if self.curvature is None else self.size // 2

    def to_strength(self, u: Tensor) -> Tensor:
        """Strength at a coordinate u."""
        return u.exp() if self.curvature is None else u

    def step_at(self, u: Tensor) -> Tensor:
        """Distance of nodes around a coordinate u, in u."""
        if self.curvature is None:
            return torch.full_like(u, self.step)
        return self.step * torch.sqrt(u.square() + self.curvature**2)

    def log_width(self) -> Tensor:
        """Log width of the cell of each node, in u: a `node`-vector."""
        return self.step_at(self.coordinate()).log()

    def ends(self) -> tuple[Tensor, Tensor]:
        """Coordinates u half a step outside the first and the last node."""
        v = torch.tensor([-0.5, self.size - 0.5], dtype=torch.float64) * self.step + self.low
        ends = v if self.curvature is None else self.curvature * v.sinh()
        return ends[0], ends[1]

    def locate(self, u: Tensor) -> Tensor:
        """Where a coordinate u lies, in steps from the first node; any shape."""
        v = u if self.curvature is None else torch.asinh(u / self.curvature)
        return (v - self.low) / self.step

    def locate_strength(self, strength: Tensor) -> Tensor:
        """Where a strength lies, in steps from the first node; any shape."""
        return self.locate(
            strength.clamp_min(1e-300).log() if self.curvature is None else strength
        )


@dataclass(frozen=True, eq=False)
class LikelihoodTable:
    """Log-likelihood of every respondent at every node of strength.

    Attributes:
        grid: The nodes.
        values: `lapse x respondent x node`, nats; one lapse (rate 0) without a lapse rate.
        lapse_logits: `lapse`-vector of Chebyshev nodes, or None without a lapse rate.
        block: `respondent`-vector: which block of parameters (group cell or replicate) applies.
        n_blocks: Number of blocks.
    """

    grid: Grid
    values: Tensor
    lapse_logits: Tensor | None
    block: Tensor
    n_blocks: int

    def lapse_weights(self, lapse: Tensor) -> Tensor:
        """Weights of the lapse nodes that interpolate at given rates (barycentric form).

        Args:
            lapse: Lapse rates, any shape.

        Returns:
            The shape of `lapse` with an axis of lapse nodes added, differentiable.

        Raises:
            ValueError: If the table has no lapse nodes.
        """
        nodes = self.lapse_logits
        if nodes is None:
            raise ValueError("Expected a table with lapse nodes but it has none.")
        t = torch.logit(lapse, eps=1e-12).clamp(float(nodes[0]) + 1e-9, float(nodes[-1]) - 1e-9)
        gaps = (nodes.unsqueeze(-1) - nodes).fill_diagonal_(1.0)
        base = 1.0 / (gaps * (4.0 / (nodes[-1] - nodes[0]))).prod(-1)  # near 1, not near 0
        distance = t.unsqueeze(-1) - nodes
        ratio = base / torch.where(distance.abs() < 1e-13, 1e-13, distance)
        return ratio / ratio.sum(-1, keepdim=True)


def bends_fast(table: LikelihoodTable) -> Tensor:
    """Whether a respondent's curve may bend faster than the grid, a boolean `respondent`-vector.

    Example:
        >>> margin = torch.linspace(-2, 2, 900, dtype=torch.float64)
        >>> grid, who = strength_grid(margin), (torch.arange(900) < 850).long()
        >>> bends_fast(likelihood_table(margin, who, grid=grid, n_respondents=2))
        tensor([False,  True])
    """
    return fineness(table) > 1.0


def fineness(table: LikelihoodTable) -> Tensor:
    """How many times finer than the grid a respondent's curve wants its nodes: `respondent`.

    It does either where it bends fast near its maximum, or where there are so many votes that it
    does further down, where a population far from the maximum meets it.
    """
    rows = max(1, _BLOCK // table.values[:, 0].numel())  # few at once stay in the cache
    bend = torch.cat([_largest_bend(part) for part in table.values.split(rows, 1)])
    at_zero = table.values[0, :, table.grid.node_nearest_zero()]  # all coin flips: log 1/2
    most = torch.maximum(
        bend / (_INFORMATION * table.grid.step**2), at_zero / (-_VOTES * math.log(2.0))
    )
    return most.clamp_min(0.0).sqrt()


def _largest_bend(values: Tensor) -> Tensor:
    """Largest second difference of each curve within 30 nats of its peak."""
    bend = 2 * values[..., 1:-1] - values[..., :-2] - values[..., 2:]
    near = values[..., 1:-1] > values.amax(-1, keepdim=True) - 30.0
    return torch.where(near, bend, 0.0).amax(dim=(0, 2))


def strength_grid(margin: Tensor, *, signed: bool = False, centre: float | None = None) -> Grid:
    """Grid of strengths that covers what margins can tell, and a prior centre.

    Args:
        margin: Margins, a `comparison`-vector; at least one is not 0.
        signed: Whether strengths may be negative.
        centre: A strength that the grid must surround too, for example the prior's.

    Returns:
        The grid: 139 nodes for positive strengths when `centre` is near `1 / rms(margin)`.

    Example:
        >>> grid = strength_grid(torch.tensor([1.0, -2.0, 0.5]))
        >>> grid.size, *(round(float(u), 2) for u in grid.coordinate()[[0, -1]])
        (139, -12.28, 6.85)
    """
    rms = float(margin.to(torch.float64).square().mean().sqrt())
    return grid_of_size(rms, float(margin.abs().max()), signed=signed, centre=centre)


def grid_of_size(
    rms: float, largest: float, *, signed: bool = False, centre: float | None = None
) -> Grid:
    """The same from the root mean square and the largest size of the margins.

    Example:
        >>> grid_of_size(1.0, 2.5).size
        139
    """
    natural = 1.0 / rms
    centres = [natural] if centre is None else [natural, float(centre)]
    low, high = math.log(min(centres)) - _BELOW, math.log(max(centres)) + _ABOVE
    if not signed:
        return Grid(low, STEP, math.ceil((high - low) / STEP) + 1)
    curvature = math.pi / largest
    half = math.ceil(math.asinh(math.exp(high) / curvature) / STEP)
    return Grid(-half * STEP, STEP, 2 * half + 1, curvature)


def chebyshev_nodes(low: float, high: float, count: int) -> Tensor:
    """Chebyshev points of an interval, a `count`-vector in rising order.

    Example:
        >>> [round(float(x), 3) for x in chebyshev_nodes(0.0, 2.0, 3)]
        [0.134, 1.0, 1.866]
    """
    k = torch.arange(count, dtype=torch.float64)
    return 0.5 * (low + high) - 0.5 * (high - low) * torch.cos((2 * k + 1) * math.pi / (2 * count))


class TableSums:
    """The sums over comparisons that a likelihood table is made of: added to block by block.

    Args:
        grid: Nodes of strength.
        n_respondents: Number of respondents.
        largest: Largest absolute margin of all the comparisons that will be added.
        lapse_logits: Nodes of the logit of the lapse rate; None for no lapse rate.

    Attributes:
        far: Log-likelihoods at nodes where strength x margin matters, `lapse x respondent x node`.
        moments: Sums of powers of the margins, `respondent x power`, for all other nodes.

    Example:
        >>> margin = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
        >>> who, grid = torch.tensor([0, 0, 1]), strength_grid(margin)
        >>> sums = TableSums(grid, 2, largest=2.0)
        >>> for one in range(3):
        ...     sums.add(margin[one : one + 1], who[one : one + 1])
        >>> whole = likelihood_table(margin, who, grid=grid, n_respondents=2)
        >>> torch.allclose(sums.table().values, whole.values)
        True
    """

    def __init__(
        self,
        grid: Grid,
        n_respondents: int,
        *,
        largest: float,
        lapse_logits: Tensor | None = None,
    ) -> None:
        self.grid, self.lapse_logits = grid, lapse_logits
        self._rates = torch.zeros(1, dtype=torch.float64)
        if lapse_logits is not None:
            self._rates = torch.sigmoid(lapse_logits)
        self._nodes = grid.to_strength(grid.coordinate())
        self._near = self._nodes.abs() * largest <= _SMALL
        shape = len(self._rates), n_respondents, int((~self._near).sum())
        self.far = torch.zeros(shape, dtype=torch.float64)
        self.moments = torch.zeros(n_respondents, _ORDER + 1, dtype=torch.float64)

    def add(self, margin: Tensor, respondent: Tensor, weight: Tensor | None = None) -> None:
        """Add comparisons.

        Args:
            margin: Signed margins, a `comparison`-vector.
            respondent: Code of the respondent of each, a `comparison`-vector.
            weight: Weight of each; 1 if absent.
        """
        _add_sums(self.far, margin, respondent, weight, self._nodes[~self._near], self._rates)
        _add_moments(self.moments, margin, respondent, weight)

    def table(self, block: Tensor | None = None, n_blocks: int = 1) -> LikelihoodTable:
        """The likelihood table of what was added.

        Args:
            block: Block of parameters of each respondent, a `respondent`-vector; 0 if absent.
            n_blocks: Number of blocks.
        """
        n = len(self.moments)
        near = torch.nonzero(self._near).squeeze(-1)  # nodes next to each other
        first = int(near[0]) if len(near) else 0
        series = _series(self.moments, self._nodes[near], self._rates)
        values = torch.cat([self.far[..., :first], series, self.far[..., first:]], -1)
        blocks = torch.zeros(n, dtype=torch.long) if block is None else block
        return LikelihoodTable(self.grid, values, self.lapse_logits, blocks, n_blocks)


def likelihood_table(
    margin: Tensor,
    respondent: Tensor,
    *,
    grid: Grid,
    n_respondents: int,
    weight: Tensor | None = None,
    lapse_logits: Tensor | None = None,
    block: Tensor | None = None,
    n_blocks: int = 1,
) -> LikelihoodTable:
    """Tabulate every respondent's log-likelihood on a grid of strengths.

    Args:
        margin: Signed margins, a `comparison`-vector: positive where the recorded choice agrees.
        respondent: Code of the respondent of each comparison, a `comparison`-vector.
        grid: Nodes of strength.
        n_respondents: Number of respondents.
        weight: Weight of each comparison, a `comparison`-vector; 1 if absent.
        lapse_logits: Nodes of the logit of the lapse rate; None for no lapse rate.
        block: Block of parameters of each respondent, a `respondent`-vector; all 0 if absent.
        n_blocks: Number of blocks.

    Returns:
        The table, float64. Cost: one pass over comparisons x nodes (x lapse nodes); nodes so
        weak that strength x margin stays below 0.25 cost seven moments.

    Example:
        >>> margin = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
        >>> grid = strength_grid(margin)
        >>> table = likelihood_table(margin, torch.tensor([0, 0, 1]), grid=grid, n_respondents=2)
        >>> table.values.shape
        torch.Size([1, 2, 139])
    """
    largest = float(margin.abs().max())
    sums = TableSums(grid, n_respondents, largest=largest, lapse_logits=lapse_logits)
    sums.add(margin, respondent, weight)
    return sums.table(block, n_blocks)


def _add_sums(
    values: Tensor,
    margin: Tensor,
    respondent: Tensor,
    weight: Tensor | None,
    nodes: Tensor,
    rates: Tensor,
) -> None:
    """Add log-likelihoods at nodes, `lapse x respondent x node`, by direct summation."""
    plain = weight is None and len(rates) == 1 and rates[0] == 0
    if plain and in_octaves(nodes) and are_long(respondent):
        add_runs(values[0], margin, respondent, nodes)
        return
    rows = max(1, _BLOCK // max(1, len(nodes)))
    for start in range(0, len(margin), rows):
        part = slice(start, start + rows)
        index = respondent[part]
        scaled = margin[part].to(torch.float64).unsqueeze(-1) * nodes
        share = None if weight is None else weight[part].to(torch.float64).unsqueeze(-1)
        chance = None if len(rates) == 1 and rates[0] == 0 else torch.sigmoid(scaled)
        for k, rate in enumerate(rates):
            if chance is None:
                log_p = logsigmoid(scaled)
            else:
                log_p = (chance * (1 - rate)).add_(rate / 2).log_()
            values[k].index_add_(0, index, log_p if share is None else log_p.mul_(share))


def _add_moments(
    moments: Tensor, margin: Tensor, respondent: Tensor, weight: Tensor | None
) -> None:
    """Add powers of the margins, `respondent x power`."""
    each = torch.ones_like(margin, dtype=torch.float64)
    each = each if weight is None else each * weight
    for m in range(_ORDER + 1):
        moments[:, m].index_add_(0, respondent, each)
        each = each * margin


def _series(moments: Tensor, nodes: Tensor, rates: Tensor) -> Tensor:
    """Log-likelihoods where all strength x margin are small, from seven moments of the margins.

    With t = tanh(x/2), `log(lapse/2 + (1 - lapse) sigmoid(x)) = -log 2 + log(1 + (1 - lapse) t)`,
    expanded to x^7.
    """
    tanh = np.zeros(_ORDER + 1)  # of x/2
    tanh[[1, 3, 5, 7]] = [1 / 2, -1 / 24, 1 / 240, -17 / 40320]
    out = []
    for rate in rates:
        coefficient, power = np.zeros(_ORDER + 1), np.eye(_ORDER + 1)[0]
        coefficient[0] = -math.log(2.0)
        for m in range(1, _ORDER + 1):
            power = np.convolve(power, (1 - float(rate)) * tanh)[: _ORDER + 1]
            coefficient += (-1) ** (m + 1) / m * power
        exponents = torch.arange(_ORDER + 1, dtype=torch.float64)
        at_nodes = torch.from_numpy(coefficient) * nodes.unsqueeze(-1) ** exponents
        out.append(moments @ at_nodes.T)
    return torch.stack(out)
