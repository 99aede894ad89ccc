"""Votes on debate arguments with their texts, for the examples that need some."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

import mixlogit as ml

__all__ = ["votes_on_texts"]


def votes_on_texts(folder: Path) -> pa.Table:
    """Votes with topics as prompts and arguments as answers, the preferred one first.

    Args:
        folder: UKPConvArg1 (Habernal and Gurevych 2016): topics, arguments, votes.
    """
    topics = pd.read_csv(folder / "topics.csv").fillna("")
    topics["prompt"] = topics["title"] + ". " + topics["stance"] + ".\n"
    votes = pd.read_csv(folder / "votes.csv.gz", dtype=str)
    return ml.join_texts(
        votes.merge(topics[["topic", "prompt"]], on="topic", how="left"),
        folder / "arguments.csv.gz",
        item_a="arg1",
        item_b="arg2",
        outcome="value",
        labels="a=a1,b=a2,tie=equal",
        key="arg_id",
    )
