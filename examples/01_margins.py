"""From votes on texts to margins of a language model, and to strengths of those who voted.

    python examples/01_margins.py --data ../shared/data --output runs/margins

About three minutes. Workers voted which of two arguments is the more convincing (UKPConvArg1,
Habernal and Gurevych 2016). A tiny language model that knows children's stories reads some
arguments for a few seconds: that is the policy, and the model before that the reference. Two
commands then do the rest: margins for every vote, and the posterior of how strongly each worker's
votes follow them.
"""

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from debates import votes_on_texts
from transformers import AutoModelForCausalLM, AutoTokenizer

import mixlogit as ml
from mixlogit.cli import main as mixlogit
from mixlogit.lm import Scorer, rows_of

TOKENS = 512  # what the tiny model takes


def train(reference: Path, votes: pa.Table, steps: int, output: Path) -> None:
    """A few steps of maximum likelihood on preferred arguments: a policy that differs."""
    tokenizer = AutoTokenizer.from_pretrained(reference)
    model = AutoModelForCausalLM.from_pretrained(reference)
    chosen = votes.slice(0, votes.num_rows // 2).to_pandas().drop_duplicates("chosen")
    some = pa.Table.from_pandas(chosen.sample(frac=1, random_state=0), preserve_index=False)
    encoded, _ = ml.encode(some, tokenizer, max_length=TOKENS)
    rows, scorer = rows_of(encoded), Scorer(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(steps):
        at = [(8 * step + k) % len(rows) for k in range(8)]
        scores = scorer(scorer.collate([rows[k] for k in at]))
        loss = -scores.logp[::2].sum() / scores.length[::2].sum()  # of the preferred ones
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 10 == 0:
            print(f"step {step:3}  loss {loss.item():.3f} nats a token")
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


def main() -> None:
    """Make the policy, then run the two commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("runs/margins"))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--votes", type=int, default=None, help="only the first so many votes")
    options = parser.parse_args()
    torch.manual_seed(0)
    options.output.mkdir(parents=True, exist_ok=True)
    reference, policy = options.data / "tiny-lm" / "hf", options.output / "policy"
    votes = votes_on_texts(options.data / "ukpconvarg1").slice(0, options.votes)
    pq.write_table(votes, options.output / "debates.parquet")
    train(reference, votes, options.steps, policy)

    models = ["--policy", str(policy), "--reference", str(reference)]
    margins, run = str(options.output / "margins.parquet"), str(options.output / "fit")
    told = ["margins", str(options.output / "debates.parquet"), *models, "--respondent", "worker"]
    code = mixlogit([*told, "--output", margins, "--overwrite"])
    code = code or mixlogit(
        ["fit", margins, "--respondent", "worker", "--output", run, "--overwrite"]
    )
    raise SystemExit(code)


if __name__ == "__main__":
    main()
