"""Analyse a run where ArviZ is 1.x and neither torch nor pyro is installed; print JSON.

python on_arviz1.py ROOT RUN COPY
"""

import importlib.util
import json
import sys
from pathlib import Path

root, run, copy = sys.argv[1:]
sys.path.insert(0, root)
import mixlogit  # noqa: E402

mixlogit.__path__.append(root)  # analysis/ lies beside mixlogit/, as setuptools maps it
import arviz  # noqa: E402

from mixlogit import analysis  # noqa: E402
from mixlogit.errors import UsageError  # noqa: E402

assert importlib.util.find_spec("torch") is None
assert importlib.util.find_spec("pyro") is None
tree = analysis.to_arviz(run)
summary = arviz.summary(tree, var_names=["mean", "cv"], kind="stats", round_to="none")
drawn = []
for name in dir(analysis):
    if name.startswith("plot_") and name not in ("plot_elpd", "plot_measure"):
        try:
            getattr(analysis, name)(run)
            drawn.append(name)
        except UsageError:  # a picture of something that this run lacks
            continue
analysis.plot_measure({"run": run})
analysis.report(run, Path(copy).with_suffix(".html"))
analysis.save_plot(run, Path(copy).with_suffix(".svg"))
tree.to_netcdf(copy, engine="h5netcdf")
sys.stdout.write(
    json.dumps(
        {
            "arviz": arviz.__version__,
            "mean": summary["mean"].to_dict(),
            "elpd": float(arviz.loo(tree, var_name="panel").elpd),
            "heterogeneity": analysis.heterogeneity(run)["mean"].to_list(),
            "drawn": drawn,
        }
    )
)
