"""Preference data: reading, validation, findings, simulation."""

from mixlogit.data.comparisons import Comparisons, Dropped, Finding, Labels
from mixlogit.data.load import load

__all__ = ["Comparisons", "Dropped", "Finding", "Labels", "load"]
