"""Preference data: reading, validation, findings, simulation."""

from mixlogit.data.card import data_card
from mixlogit.data.choice_sets import ChoiceSets
from mixlogit.data.comparisons import Comparisons, Dropped, Finding, Labels
from mixlogit.data.load import load
from mixlogit.data.load_choice_sets import load_choice_sets
from mixlogit.data.simulate import Simulated, simulate

__all__ = [
    "ChoiceSets",
    "Comparisons",
    "Dropped",
    "Finding",
    "Labels",
    "Simulated",
    "data_card",
    "load",
    "load_choice_sets",
    "simulate",
]
