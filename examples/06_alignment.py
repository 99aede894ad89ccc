"""Train an adapter of a language model on votes, and see what it learned on topics it never saw.

    python examples/06_alignment.py --data ../shared/data --output runs/debates

About a minute. Workers voted which of two arguments is the more convincing (UKPConvArg1, Habernal
and Gurevych 2016). The same two commands as in docs/howto-align.md, on the same two files.
"""

import argparse
from pathlib import Path

import pandas as pd
from debates import votes_on_texts

from mixlogit.cli import main as mixlogit

LONGEST = 200  # characters of an argument: short ones keep it under a minute


def short_votes(folder: Path) -> pd.DataFrame:
    """The decided votes on two short arguments."""
    frame = votes_on_texts(folder).to_pandas()
    answers = frame[["chosen", "rejected"]]
    short = answers.apply(lambda text: text.str.len() <= LONGEST).all(axis=1)
    kept = frame[short & (frame["outcome"] != "tie")]
    return kept[["prompt", "chosen", "rejected", "worker", "topic"]]


def write(votes: pd.DataFrame, people: int, folder: Path) -> tuple[Path, Path]:
    """Votes of the busiest workers on three topics in four, and on the others."""
    busy = votes["worker"].value_counts().index[:people]
    votes = votes[votes["worker"].isin(busy)]
    unseen = sorted(votes["topic"].unique())[::4]
    old, new = folder / "votes.jsonl", folder / "new-votes.jsonl"
    held_out = votes["topic"].isin(unseen)
    votes[~held_out].to_json(old, orient="records", lines=True)
    votes[held_out].to_json(new, orient="records", lines=True)
    return old, new


def main() -> None:
    """Write both files, then run the two commands."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("runs/debates"))
    parser.add_argument("--people", type=int, default=15, help="so many of the busiest workers")
    parser.add_argument("--steps", type=int, default=30)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    found = short_votes(options.data / "ukpconvarg1")
    votes, new = write(found, options.people, options.output)

    run = str(options.output / "aligned")
    training = ["--max-steps", str(options.steps), "--per-device-train-batch-size", "16"]
    training += ["--learning-rate", "2e-3", "--lora", "8", "--max-length", "256"]
    said = ["align", str(votes), "--model", str(options.data / "tiny-lm" / "hf")]
    said += ["--respondent", "worker", "--use-cpu", *training, "--output", run, "--overwrite"]
    told = ["evaluate", run, str(new), "--by", "topic", "--output", str(options.output / "new")]
    raise SystemExit(max(mixlogit(said), mixlogit([*told, "--overwrite"])))


if __name__ == "__main__":
    main()
