"""`mixlogit fit`: the run folder, what is printed, `--json`, exit codes, with real fits."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

import mixlogit as ml
from mixlogit.analysis.material import read_material
from mixlogit.cli import main
from mixlogit.errors import StorageError
from mixlogit.run import run_lock

FILES = {
    *("run.json", "config.yaml", "data.json", "summary.json", "summary.txt", "checks.json"),
    *("posterior.nc", "strengths.parquet", "strength.safetensors", "strength.json"),
    *("metrics.jsonl", "strength.svg", "strength.png", "report.html"),
}


@pytest.fixture(scope="module")
def votes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "votes.parquet"
    ml.simulate(1500, 60, "lognormal", mean=1.0, cv=0.8, ties=0.1, seed=1).write(file)
    return file


@pytest.fixture(scope="module")
def fitted(votes: Path) -> tuple[Path, int, dict]:
    """A run with held-out votes: folder, exit code and the JSON object."""
    run = votes.parent / "runs" / "x"
    line = ["fit", str(votes), "--test-fraction", "0.2", "--seed", "1", "--output", str(run)]
    with pytest.MonkeyPatch.context() as patch:
        written: list[str] = []
        patch.setattr("sys.stdout.write", written.append)
        code = main([*line, "--json", "--quiet"])
    return run, code, json.loads("".join(written))


def test_the_run_folder_is_whole(fitted: tuple[Path, int, dict]) -> None:
    run, code, result = fitted
    assert code == 0
    assert {entry.name for entry in run.iterdir()} >= FILES
    manifest = json.loads((run / "run.json").read_text())
    assert (manifest["state"], manifest["seed"]) == ("done", 1)
    assert json.loads((run / "summary.json").read_text()) == {
        key: value for key, value in result.items() if key != "run"
    }
    assert json.loads((run / "checks.json").read_text()) == result["checks"]
    record = json.loads((run / "data.json").read_text())
    assert record["n"]["comparisons"] == 1200
    assert len(record["sha256"]) == 64
    assert len(pd.read_parquet(run / "strengths.parquet")) == 60
    assert (run / "strength.svg").read_text().lstrip().startswith("<?xml")
    assert (run / "strength.png").read_bytes().startswith(b"\x89PNG")
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert events
    assert set(events[0]) == {"stage", "done", "total", "seconds"}


def test_json_has_the_stable_keys(fitted: tuple[Path, int, dict]) -> None:
    run, _, result = fitted
    assert result["run"] == str(run)
    assert (result["family"], result["panel"]) == ("lognormal", True)
    assert result["n"]["comparisons"] == 1200
    assert set(result["n"]) >= {"comparisons", "respondents", "groups", "ties", "dropped"}
    quantiles = {"mean", "sd", "q05", "q25", "q50", "q75", "q95"}
    for name in ("mean", "cv", "log_sd"):
        assert set(result["parameters"][name]) == quantiles
    assert set(result["elpd"]) == {"estimate", "se", "per"}
    assert set(result["checks"][0]) == {"name", "value", "threshold", "ok", "advice"}
    assert set(result["verdict"]) == {"heterogeneity", "sentences"}
    assert {"read", "table", "map", "posterior", "total"} <= set(result["seconds"])
    assert result["peak_memory_mb"] > 0
    held_out = {"log_score", "fixed_strength", "gain_millinats", "se", "accuracy", "n"}
    assert set(result["held_out"]) == held_out


def test_the_run_opens_again(fitted: tuple[Path, int, dict]) -> None:
    run, _, result = fitted
    posterior = ml.open_run(run)
    assert posterior.summary().loc["cv", "mean"] == result["parameters"]["cv"]["mean"]


def test_summary_txt_is_what_people_read(fitted: tuple[Path, int, dict]) -> None:
    run, _, result = fitted
    text = (run / "summary.txt").read_text()
    assert re.match(
        r"data     1,200 comparisons, 60 respondents \(median \d+, largest \d+\)", text
    )
    assert re.search(r"^fit      lognormal, panel, [\d.]+ s$", text, re.MULTILINE)
    assert re.search(r"^checks   .*Pareto k [\d.e-]+ ok", text, re.MULTILINE)
    assert re.search(r"^Preference strength +mean +sd +5% +95%$", text, re.MULTILINE)
    assert re.search(r"^  coefficient of variation( +[\d.]+){4}$", text, re.MULTILINE)
    for sentence in result["verdict"]["sentences"]:
        assert sentence in text
    assert re.search(r"^Held-out votes \(\d+\): log score -0\.\d{4}, ", text, re.MULTILINE)


def test_configuration_is_written_back(fitted: tuple[Path, int, dict], votes: Path) -> None:
    config = yaml.safe_load((fitted[0] / "config.yaml").read_text())
    assert config["data"] == str(votes)
    assert (config["family"], config["test_fraction"], config["seed"]) == ("lognormal", 0.2, 1)
    assert not {"json", "quiet", "debug", "overwrite", "config"} & set(config)


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Votes of respondents who all have one strength."""
    file = tmp_path_factory.mktemp("data") / "alike.parquet"
    ml.simulate(1500, 60, "fixed", ties=0.1, seed=1).write(file)
    return file


@pytest.fixture
def quick(say: Callable, alike: Path, tmp_path: Path) -> Callable:
    """A fit of one strength for all with few draws: seconds, not minutes."""

    def run(*options: object) -> tuple[int, str, str]:
        few = ["--family", "fixed", "--posterior-draws", 400, "--output", tmp_path / "x"]
        return say("fit", alike, *few, "--no-report", *options)

    return run


def test_what_is_printed(quick: Callable, tmp_path: Path) -> None:
    code, out, err = quick()
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("data     1,500 comparisons, 60 respondents (median ")
    assert lines[0].endswith(" ties used as half a vote each way")
    assert lines[-1] == f"Wrote {tmp_path / 'x'}"
    assert out == (tmp_path / "x" / "summary.txt").read_text() + lines[-1] + "\n"
    assert "warning" not in err


def test_the_same_configuration_gives_the_same_numbers(
    quick: Callable, say: Callable, tmp_path: Path
) -> None:
    assert quick("--prior-cv", 0.5, "--prior-lapse", "1,4")[0] == 0
    config, again = tmp_path / "x" / "config.yaml", tmp_path / "again"
    code, out, _ = say("fit", "--config", config, "--output", again, "--report")
    assert (code, out.splitlines()[-1]) == (0, f"Wrote {again / 'report.html'}")
    first, second = (ml.open_run(run).summary() for run in (tmp_path / "x", again))
    pd.testing.assert_frame_equal(first, second)
    record = json.loads((again / "summary.json").read_text())
    assert record["priors"]["cv_scale"] == 0.5
    assert record["priors"]["lapse"] == [1, 4]


def test_a_report_that_fails_leaves_the_run(
    quick: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise StorageError("no room.")

    monkeypatch.setattr("mixlogit.analysis.report", fail)
    code, out, err = quick("--report")
    run = tmp_path / "x"
    assert (code, out.splitlines()[-1]) == (0, f"Wrote {run}")
    assert err.replace("\n", " ") == (
        f"warning: {run} is complete, but its report could not be written: no room. "
        f'"mixlogit report {run}" tries again. '
    )
    assert ml.open_run(run).family == "fixed"


def test_no_panel_says_what_the_spread_is_not(quick: Callable) -> None:
    code, out, _ = quick("--no-panel")
    assert code in (0, 4)
    assert "fit      fixed, per comparison, " in out
    assert "tail shape of the link and not a measure of people" in out


def test_a_failed_check_is_exit_code_4(quick: Callable, tmp_path: Path) -> None:
    # a prior this narrow leaves nothing for the data to say
    code, out, _ = quick("--family", "lognormal", "--no-evidence", "--prior-cv", 1e-3)
    assert code == 4
    assert "prior weight on cv" in out
    assert "FAILED" in out
    assert json.loads((tmp_path / "x" / "run.json").read_text())["state"] == "check failed"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--family", "gama"], 2, "No strength family 'gama'. Did you mean 'gamma'?"),
        (
            ["--test", "a.csv", "--test-fraction", 0.1],
            2,
            "--test and --test-fraction are both given. Name one of them.",
        ),
        (["--prior-lapse", 3], 2, '--prior-lapse must be two numbers such as 1,9, not "3".'),
        (["--prior-cv", -1], 2, "Expected prior cv_scale > 0 but got -1.0."),
        (["--test", "a.csv"], 3, "a.csv: no such file or folder."),
        (["--inference", "magic"], 2, "Invalid value for '--inference': 'magic' is not one of"),
    ],
)
def test_errors_leave_nothing(
    quick: Callable, tmp_path: Path, options: list[object], code: int, message: str
) -> None:
    result = quick(*options)
    assert result[0] == code
    assert result[2].startswith(message)
    assert result[2].count("\n") == 1
    assert not (tmp_path / "x").exists()


def test_a_run_in_use_is_refused_at_once(quick: Callable, tmp_path: Path) -> None:
    with run_lock(tmp_path / "x"):
        start = time.monotonic()
        code, _, err = quick()
    assert (code, time.monotonic() - start < 2) == (5, True)
    assert err.startswith(f"{tmp_path / 'x'} is in use by process ")
    assert err.endswith(". Choose another --output, or stop that run.\n")


def test_all_margins_zero(say: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("margins.csv").write_text("margin,respondent\n" + "0,ann\n" * 5210)
    message = (
        "margins.csv: all 5,210 margins are 0, so strength cannot be estimated. "
        "A policy equal to its reference has zero margins.\n"
    )
    assert say("fit", "margins.csv") == (3, "", message)
    assert not Path("runs/margins").exists()


def test_the_default_folder_is_named_after_the_data(
    say: Callable, alike: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["fit", alike, "--family", "fixed", "--posterior-draws", 400, "--no-report"]
    assert say(*line)[0] == 0
    assert Path("runs/alike/run.json").exists()
    message = "runs/alike holds a run. Choose another --output, or add --overwrite.\n"
    assert say(*line) == (5, "", message)
    assert say(*line, "--overwrite")[0] == 0


def test_intervals_are_calibrated_at_the_own_design(quick: Callable, tmp_path: Path) -> None:
    code, out, _ = quick("--sbc", 12)
    assert code == 0
    words = "In 12 data sets simulated at this design, 90 % intervals hold the truth: mean "
    assert re.search(words + r"\d+%\.", out)
    result = json.loads((tmp_path / "x" / "summary.json").read_text())
    assert len(result["sbc"]["ranks"]["mean"]) == 12
    checks = json.loads((tmp_path / "x" / "checks.json").read_text())
    assert checks[-1]["name"] == "calibrated intervals (SBC)"


def test_calibration_takes_no_random_tastes(quick: Callable) -> None:
    message = "--sbc cannot be joined with --random.\n"
    assert quick("--sbc", 12, "--random", "x1:normal")[::2] == (2, message)


def test_the_maximum(say: Callable, votes: Path, tmp_path: Path) -> None:
    code, out, _ = say("fit", votes, "--inference", "maximum", "--output", tmp_path / "x")
    assert code == 0
    lines = out.splitlines()
    assert lines[1] == "fit      lognormal, maximum of the likelihood with flat priors"
    assert re.match(r"         log-likelihood -[\d,]+\.\d{4}$", lines[2])
    assert re.match(r"Maximum of the likelihood +estimate +se +sandwich se$", lines[4])
    assert re.match(r"  coefficient of variation( +[\d.]+){3}$", lines[6])
    result = json.loads((tmp_path / "x" / "summary.json").read_text())
    assert set(result["parameters"]["cv"]) == {"estimate", "se", "se_sandwich"}


def test_the_maximum_has_no_priors_and_no_held_out_votes(quick: Callable) -> None:
    message = "--inference maximum cannot be joined with --prior, --test-fraction.\n"
    options = ["--inference", "maximum", "--prior-cv", 0.5, "--test-fraction", 0.2]
    assert quick(*options) == (2, "", message)


def test_utilities_of_items_are_printed_and_reported(say: Callable, tmp_path: Path) -> None:
    run, file = tmp_path / "x", tmp_path / "items.parquet"
    ml.simulate(600, 20, "fixed", items=3, seed=1).write(file)
    few = ["--family", "fixed", "--inference", "laplace", "--posterior-draws", 200]
    code, out, _ = say("fit", file, *few, "--output", run)
    assert code == 0
    found = ml.open_run(run).utilities().sort_values("mean", ascending=False)
    lines = out.split("\nUtilities   ")[1].splitlines()[1:4]
    assert [line.split()[0] for line in lines] == list(found.index)
    assert [float(line.split()[1]) for line in lines] == pytest.approx(found["mean"], abs=0.006)
    cells = re.findall(r'<th scope="row">(item\w*|i\d+)</th>', (run / "report.html").read_text())
    assert [cell for cell in cells if cell in found.index] == list(found.index)


def test_the_report_lists_the_options_that_are_not_the_defaults(
    fitted: tuple[Path, int, dict],
) -> None:
    chosen = json.loads((fitted[0] / "run.json").read_text())["chosen"]
    config = yaml.safe_load((fitted[0] / "config.yaml").read_text())
    assert {"data", "seed", "test_fraction", "output"} <= {*chosen} < {*config}
    assert "share_formula" not in chosen
    listed = read_material(fitted[0]).config
    assert listed is not None
    assert yaml.safe_load(listed) == {key: config[key] for key in config if key in chosen}
