"""The objective of an alignment, one strength for each respondent.

A respondent's votes together tell how strong they are, and their next vote counts accordingly.
The votes' margins come from forward passes already made: a running table of respondents x nodes
of strength holds their log-likelihoods. The loss of a comparison is minus the log of its
leave-one-out predictive,

    -log sum_n q_n sigmoid(b_n D),   q_n  prop. to  f(b_n) exp(L_a(b_n) - own last term),

whose gradient is the strength's mean under the posterior that counts the vote once, at its
present margin (Fisher's identity). With the vote inside its own weights (as in textbook EM) a
policy that overfits makes its own certainty. The spread takes its own step on the table.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from mixlogit.align.nodes import Nodes, population_nodes
from mixlogit.align.objective import Objective, check_margins
from mixlogit.align.population import Strength
from mixlogit.align.running import RunningTable, alignment_grid
from mixlogit.align.settings import AlignSettings
from mixlogit.align.votes import Votes
from mixlogit.choice import StrengthFamily
from mixlogit.choice.link import log_lapsed

__all__ = ["PanelObjective"]

_MOST = 4096  # respondents in one step of the strength; more are a random part, scaled up


class PanelObjective(Objective):
    """Each respondent has one strength; see the module's text.

    Args:
        settings: How strength enters.
        votes: The training comparisons.

    Attributes:
        table: The running table.
        visits: Comparisons that entered the table, repeats counted.

    Example:
        >>> import mixlogit as ml
        >>> from mixlogit.align import AlignSettings, make_objective
        >>> data = ml.simulate(200, 20, seed=1).comparisons()
        >>> objective = make_objective(data, AlignSettings(beta=0.1))
        >>> margin, index = torch.zeros(8, requires_grad=True), torch.arange(8)
        >>> objective.loss(margin, index).backward()
        >>> bool(torch.allclose(margin.grad.abs(), torch.tensor(0.1 / 2 / 8)))  # as DPO's
        True
        >>> _ = objective.step(margin, index)
    """

    def __init__(self, settings: AlignSettings, votes: Votes) -> None:
        super().__init__(settings, votes)
        family, _, contrarians = self.population.centre()
        signed = contrarians is not None or family.signed
        self.table = RunningTable(
            votes, alignment_grid(settings.beta), signed=signed, lapse=self._lapse()
        )
        self.visits = 0

    def loss(self, margin: Tensor, index: Tensor) -> Tensor:
        """The policy's loss; see `Objective.loss`."""
        if self.visits < self.settings.burn_in * len(self.votes):
            reward = self.settings.beta * margin
            return -self.votes.score(logsigmoid, reward, index).mean()
        strength = self.population.draw()
        with torch.no_grad():
            nodes = self._nodes(strength)
            log_weight = self._log_weights(nodes, index)
            block = self.votes.block_of(index)
            strengths = nodes.strengths[block].to(margin.device)
            lapse = _rate(strength).to(margin.device)
        term = self.table.term(index, strengths, margin.double(), lapse)
        log_p = torch.logsumexp(log_weight.to(margin.device) + term, -1)
        return -log_p.to(margin.dtype).mean()

    def step(self, margin: Tensor, index: Tensor) -> float:
        """The strength's step; see `Objective.step`.

        The margins enter the table, which then stands for all comparisons. What is learned of
        the share of random votes comes from this batch.
        """
        check_margins(margin, index)
        margin = margin.detach().cpu().double()
        curves = self.table.without(index) if self.settings.lapse == "learned" else None
        self.table.update(index, margin, self._lapse())
        before, self.visits = self.visits, self.visits + len(index)
        if self.visits // len(self.votes) > before // len(self.votes):
            self.table.rebuild()
        rows = self._some_respondents()

        def likelihood(
            family: StrengthFamily, lapse: Tensor | None, contrarians: Tensor | None
        ) -> Tensor:
            strength = Strength(family, lapse, contrarians)
            total = self._log_marginal(strength, rows)
            if curves is not None:
                total = total + self._lapse_term(strength, curves, margin, index)
            return total

        return self.population.step(likelihood)

    def log_predictive(self, margin: Tensor, unit: Tensor, block: Tensor) -> Tensor:
        """Log probability that the first is preferred; see `Objective.log_predictive`.

        A known respondent counts with all their votes, a new one as the population.
        """
        strength = self.population.centre()
        with torch.no_grad():
            nodes = self._nodes(strength)
            known = self._at(self.table.values[unit.clamp_min(0)], nodes, block)
            known = torch.where((unit >= 0).unsqueeze(-1), known, 0.0)
            log_weight = torch.log_softmax(known + nodes.log_mass[block], -1)
            scaled = nodes.strengths[block] * margin.detach().cpu().double().unsqueeze(-1)
            log_p = log_lapsed(logsigmoid(scaled), strength.lapse)
            return torch.logsumexp(log_weight + log_p, -1)

    def state_dict(self) -> dict[str, Tensor]:
        """All that training changes, as tensors by name."""
        table = {
            "table.values": self.table.values.clone(),
            "table.margin": self.table.margin.clone(),
            "table.lapse": self.table.lapse.clone(),
            "visits": torch.tensor([self.visits]),
        }
        return super().state_dict() | table

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Continue from a `state_dict`, bit for bit."""
        super().load_state_dict(state)
        for name in ("values", "margin", "lapse"):
            setattr(self.table, name, state[f"table.{name}"].clone())
        self.visits = int(state["visits"])

    def _nodes(self, strength: Strength) -> Nodes:
        return population_nodes(strength.family, self.table.grid, strength.contrarians)

    def _lapse(self) -> float:
        """The share of random votes with which margins enter the table now."""
        if self.settings.lapse != "learned":
            return self.settings.lapse
        return float(_rate(self.population.draw()))

    def _at(self, curves: Tensor, nodes: Nodes, block: Tensor) -> Tensor:
        """Rows of curves at the nodes of their blocks: `row x node`."""
        return curves if nodes.on_grid else self.table.at(curves, nodes.strengths[block])

    def _log_weights(self, nodes: Nodes, index: Tensor) -> Tensor:
        """Log posterior weights of the nodes, each comparison left out: `comparison x node`."""
        block = self.votes.block_of(index)
        curves = self._at(self.table.without(index), nodes, block)
        return torch.log_softmax(curves + nodes.log_mass[block], -1)

    def _some_respondents(self) -> Tensor:
        """Rows of the table for one step of the strength: all, or a random part."""
        n = len(self.table.values)
        if n <= _MOST:
            return torch.arange(n)
        generator = torch.Generator().manual_seed(self.population.noise_seed())
        return torch.randint(n, (_MOST,), generator=generator)

    def _log_marginal(self, strength: Strength, rows: Tensor) -> Tensor:
        """Log marginal likelihood of the table, from some of its rows."""
        nodes, block = self._nodes(strength), self.votes.units.block[rows]
        curves = self._at(self.table.values[rows], nodes, block)
        each = torch.logsumexp(curves + nodes.log_mass[block], -1)
        return each.sum() * (len(self.table.values) / len(rows))

    def _lapse_term(
        self, strength: Strength, curves: Tensor, margin: Tensor, index: Tensor
    ) -> Tensor:
        """A term of value 0 with the gradient of the log marginal in the lapse rate.

        Only a vote's own factor depends on the rate, so the gradient is that of the
        leave-one-out predictives with their weights held fixed, summed over comparisons.
        """
        block = self.votes.block_of(index)
        with torch.no_grad():
            nodes = self._nodes(strength)
            at = self._at(curves, nodes, block)
            log_weight = torch.log_softmax(at + nodes.log_mass[block], -1)
        term = self.table.term(index, nodes.strengths[block], margin, _rate(strength))
        total = torch.logsumexp(log_weight + term, -1).sum() * (len(self.votes) / len(index))
        return total - total.detach()


def _rate(strength: Strength) -> Tensor:
    """The lapse rate as a 1-vector; 0 without one."""
    return torch.zeros(1, dtype=torch.float64) if strength.lapse is None else strength.lapse
