"""A saved run is looked at where torch and pyro are not installed."""

import subprocess
import sys
from pathlib import Path

_CODE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "pyro"):
            raise ImportError(f"{name} is not to be imported")
sys.meta_path.insert(0, Refuse())
from mixlogit import analysis
assert not {"arviz", "matplotlib", "xarray"} & set(sys.modules)
run, target = sys.argv[1:]
analysis.save_plot(run, target + ".svg")
assert analysis.plot_strength(run).get_title(loc="left").startswith("Mixing distribution")
assert analysis.describe_strength(run)
assert "posterior" in analysis.to_arviz(run).groups()
assert not {"torch", "pyro"} & set(sys.modules)
assert "matplotlib.pyplot" not in sys.modules or "arviz" in sys.modules
"""


def test_pictures_and_arviz_without_torch_and_pyro(saved_run: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", _CODE, str(saved_run), str(tmp_path / "x")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Mixing distribution" in (tmp_path / "x.svg").read_text()


def test_the_lazy_package_says_what_it_lacks() -> None:
    code = "from mixlogit import analysis; print(dir(analysis)); analysis.heterogenity"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "'plot_strength'" in done.stdout
    assert "module 'mixlogit.analysis' has no attribute 'heterogenity'" in done.stderr
