"""Preference data: reading, validation, findings, simulation."""

from mixlogit.data.card import data_card, data_record
from mixlogit.data.choice_sets import ChoiceSets
from mixlogit.data.comparisons import Comparisons, Dropped, Finding, Labels
from mixlogit.data.join import join_texts
from mixlogit.data.load import load
from mixlogit.data.load_choice_sets import load_choice_sets
from mixlogit.data.schemas import Schema, schemas
from mixlogit.data.simulate import Simulated, simulate
from mixlogit.data.simulate_texts import SimulatedTexts, simulate_texts
from mixlogit.data.streamed import Streamed, streamed
from mixlogit.data.texts import TextBatch, Texts, texts

__all__ = [
    "ChoiceSets",
    "Comparisons",
    "Dropped",
    "Finding",
    "Labels",
    "Schema",
    "Simulated",
    "SimulatedTexts",
    "Streamed",
    "TextBatch",
    "Texts",
    "data_card",
    "data_record",
    "join_texts",
    "load",
    "load_choice_sets",
    "schemas",
    "simulate",
    "simulate_texts",
    "streamed",
    "texts",
]
