"""Alignment on real text: debate arguments, judged by workers of whom some are careless.

    OMP_NUM_THREADS=1 nice -n 19 python benchmarks/real_text.py --output runs/real-text
    python benchmarks/real_text.py --output runs/real-text --report

The tiny language model learns to write arguments (supervised, preferred arguments of the training
topics), which is the reference, and is then aligned with votes on those topics (UKPConvArg1,
Habernal and Gurevych 2016). Each seed holds out a quarter of the 32 topics with their sides, and
draws workers with ten votes or more until there are 3,000 on arguments of 600 characters a pair
or less. One epoch; one vote in ten of the training topics is kept for validation. Runs that are
on disk are not repeated.

Arms: dpo; lognormal (each comparison its own strength); panel (each worker their own).
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import mixlogit as ml
from mixlogit.align.config import MixDPOConfig
from mixlogit.align.dataset import PreferenceData
from mixlogit.align.evaluation import Judged, evaluate_judged
from mixlogit.align.trainer import MixDPOTrainer
from mixlogit.lm import Scorer

ARMS: dict[str, dict[str, Any]] = {
    "dpo": {"family": "fixed"},
    "lognormal": {"panel": False},
    "panel": {"panel": True},
}
BETAS, SEEDS = (0.1,), (0, 1, 2)
VOTES, LEAST, TEST_VOTES, TOKENS = 3_000, 10, 2_000, 512
CHARACTERS = 600  # of both arguments: attention over longer ones takes most of the time
SUPERVISED, RATE = 150, 5e-4  # steps, learning rate of both trainings


def read_votes(data: Path) -> pd.DataFrame:
    """Votes with texts, topic and worker; ties left out, `chosen` is what was preferred."""
    topics = pd.read_csv(data / "topics.csv").fillna("")
    topics["prompt"] = topics["title"] + ". " + topics["stance"] + ".\n"
    votes = pd.read_csv(data / "votes.csv.gz", dtype=str)
    votes = votes[votes["value"] != "equal"].merge(topics[["topic", "prompt"]], on="topic")
    joined: pd.DataFrame = ml.join_texts(
        votes,
        data / "arguments.csv.gz",
        item_a="arg1",
        item_b="arg2",
        outcome="value",
        labels="a=a1,b=a2,tie=equal",
        key="arg_id",
    ).to_pandas()
    length = joined["chosen"].str.len() + joined["rejected"].str.len()
    return joined[length <= CHARACTERS]


def split(votes: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Training, validation and test votes; no topic of the test is in the training."""
    rng = np.random.default_rng(seed)
    topics = rng.permutation(np.sort(votes["topic"].unique()))
    held = votes["topic"].isin(topics[: len(topics) // 4])
    seen, test = votes[~held], votes[held]
    count = seen["worker"].value_counts()
    workers = rng.permutation(np.sort(count.index[count >= LEAST]))
    count = count.loc[workers].cumsum()
    seen = seen[seen["worker"].isin(count.index[count <= VOTES])]
    valid = rng.random(len(seen)) < 0.1
    return {
        "train": seen[~valid],
        "validation": seen[valid],
        "test": test.sample(min(TEST_VOTES, len(test)), random_state=seed),
    }


def encoded(votes: pd.DataFrame, tokenizer: Any) -> PreferenceData:
    """Token ids of votes, the worker as respondent."""
    table = pa.Table.from_pandas(
        votes[["prompt", "chosen", "rejected", "worker"]], preserve_index=False
    )
    return PreferenceData.read(table, tokenizer, respondent="worker", max_length=TOKENS)


def supervise(start: Path, data: PreferenceData, seed: int, output: Path) -> None:
    """Teach the model to write preferred arguments, from what workers preferred."""
    model = AutoModelForCausalLM.from_pretrained(start)
    scorer = Scorer(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE)
    order = np.random.default_rng(seed).permutation(len(data))[: 8 * SUPERVISED]
    for index in np.split(order, SUPERVISED):
        scores = scorer(scorer.collate([data.rows[k] for k in index]))
        loss = -scores.logp[::2].sum() / scores.length[::2].sum()  # of the preferred answers
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.save_pretrained(output)


def log_ratios(scorer: Scorer, data: PreferenceData) -> np.ndarray:
    """Log-probability of chosen minus rejected answers: a `comparison`-vector."""
    chosen, rejected = scorer.score(data.rows).logp.view(-1, 2).unbind(-1)
    return np.asarray((chosen - rejected).numpy())


def train(arm: str, beta: float, seed: int, model: Path, data: dict[str, Any], out: Path) -> None:
    """One arm: train, and keep the margins of the held-out votes."""
    config = MixDPOConfig(
        output_dir=str(out / "trainer"),
        beta=beta,
        seed=seed,
        learning_rate=RATE,
        num_train_epochs=1,
        per_device_train_batch_size=16,
        warmup_steps=20,
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
        **ARMS[arm],
    )
    trainer = MixDPOTrainer(
        AutoModelForCausalLM.from_pretrained(model), config, data["train"], data["validation"]
    )
    trainer.train()
    measured = trainer.evaluate()
    spread = trainer.posterior.summary()["mean"].to_dict() if arm == "panel" else {}
    np.save(out / f"{arm}-{beta:g}-{seed}.npy", log_ratios(trainer.scorer, data["test"]))
    line = {
        "arm": arm,
        "beta": beta,
        "seed": seed,
        "validation": measured["eval_log_score"],
        "strength": trainer.objective.describe(),
        "refitted": spread,
    }
    with (out / "runs.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def run_all(data: Path, out: Path) -> None:
    """Every arm, beta and seed that is not on disk yet."""
    out.mkdir(parents=True, exist_ok=True)
    votes, start = read_votes(data / "ukpconvarg1"), data / "tiny-lm" / "hf"
    tokenizer = AutoTokenizer.from_pretrained(start)
    for seed in SEEDS:
        parts = split(votes, seed)
        parts["test"].to_parquet(out / f"test-{seed}.parquet")
        read = {name: encoded(part, tokenizer) for name, part in parts.items()}
        model = out / f"reference-{seed}"
        if not model.exists():
            supervise(start, read["train"], seed, model)
        reference = Scorer(AutoModelForCausalLM.from_pretrained(model))
        np.save(out / f"reference-{seed}.npy", log_ratios(reference, read["test"]))
        for arm in ARMS:
            for beta in BETAS:
                if not (out / f"{arm}-{beta:g}-{seed}.npy").exists():
                    train(arm, beta, seed, model, read, out)


def judged(arm: str, beta: float, seed: int, line: dict[str, Any], out: Path) -> Judged:
    """Held-out votes as an arm sees them; log scores are those of a new respondent."""
    test = pd.read_parquet(out / f"test-{seed}.parquet")
    margin = np.load(out / f"{arm}-{beta:g}-{seed}.npy") - np.load(out / f"reference-{seed}.npy")
    found = line["refitted"] or line["strength"]
    if arm == "dpo":
        people = ml.strength("fixed", mean=beta)
    else:
        people = ml.strength("lognormal", mean=found["mean"], cv=found["cv"])
    chosen, rejected = (test[name].str.len().to_numpy() for name in ("chosen", "rejected"))
    workers = pd.factorize(test["worker"])[0].astype(np.int64)
    return Judged(
        margin=margin,
        log_score=people.log_choice_prob(torch.from_numpy(margin)).numpy(),
        longer=(chosen - rejected).astype(np.float64),
        respondent=workers,
        known=np.zeros(len(test), dtype=bool),
        groups={},
        weight=np.ones(len(test)),
    )


def report(out: Path) -> None:
    """Figures of each arm, and its differences from DPO, over seeds."""
    lines = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    rows = []
    for line in lines:
        arm, beta, seed = line["arm"], line["beta"], line["seed"]
        figures = evaluate_judged(judged(arm, beta, seed, line, out), seed=seed)
        accuracy = figures["accuracy"]
        rows.append(
            {
                "arm": arm,
                "beta": beta,
                "seed": seed,
                "micro": accuracy["micro"]["estimate"],
                "macro": accuracy["macro_respondent"]["estimate"],
                "at equal lengths": accuracy["length_controlled"]["estimate"],
                "balanced": accuracy["length_controlled"]["length_balanced"]["estimate"],
                "log score": figures["log_score"]["micro"]["estimate"],
                "validation": line["validation"],
            }
        )
    table = pd.DataFrame(rows).set_index(["beta", "arm", "seed"]).sort_index()
    print(table.round(4).to_string())
    print(table.groupby(["beta", "arm"]).mean().round(4).to_string())
    for arm in ("lognormal", "panel"):
        gap = table.xs(arm, level="arm") - table.xs("dpo", level="arm")
        print(f"\n{arm} - dpo: mean and standard error over seeds")
        print(gap.agg(["mean", "sem"]).round(4).to_string())


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--output", type=Path, default=Path("runs/real-text"))
    parser.add_argument("--report", action="store_true", help="print what is there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.report:
        run_all(options.data, options.output)
    report(options.output)


if __name__ == "__main__":
    main()
