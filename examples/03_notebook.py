"""From votes to a verdict: a notebook as a plain script.

Editors, and `jupytext --to notebook examples/03_notebook.py`, know its cells by their `# %%`.
Without a notebook `python examples/03_notebook.py` runs it in seconds.
"""
# ruff: noqa: B018 (a cell shows its last expression)

# %%
from pathlib import Path
from tempfile import mkdtemp

import mixlogit as ml
from mixlogit import analysis

folder = Path(mkdtemp())

# %% [markdown]
# Sixty respondents whose strengths have a coefficient of variation of 1: the truth to be found.

# %%
votes = ml.simulate(1500, 60, "lognormal", mean=1.0, cv=1.0, seed=3).comparisons()
votes

# %% [markdown]
# Two models of the same votes: strength that differs between respondents, and one for all.

# %%
quick = {"draws": 400, "inference": "laplace"}
mixed = ml.fit(votes, "lognormal", **quick)
fixed = ml.fit(votes, "fixed", **quick)
mixed

# %% [markdown]
# Which one do the votes want? The table leaves each respondent out in turn.

# %%
compared = ml.compare({"lognormal": mixed, "fixed": fixed})
compared

# %% [markdown]
# How different are the respondents, on a scale that does not depend on the unit of the margins?

# %%
measures = analysis.heterogeneity(mixed).set_index("measure")
measures.loc[["cv", "disagreement_median"], ["mean", "q05", "q95"]]

# %%
analysis.plot_strength(mixed).figure

# %%
analysis.plot_choice_curve(mixed).figure

# %% [markdown]
# Everything on one page, to be sent to others:

# %%
page = analysis.report(mixed, folder / "report.html")
print(compared.verdict.sentences[0])
print(f"Wrote {page}")
