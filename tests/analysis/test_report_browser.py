"""The report in a real browser: three widths, no error, no outside request, inert names."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

import mixlogit as ml
from mixlogit.analysis import report
from mixlogit.data import data_record
from mixlogit.run import write_json

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
HOSTILE = "</title></svg><script>document.title='run'</script><img src=https://x.test/a>"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-quic"),
    "--hide-scrollbars",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if BROWSER is None or DRIVER is None:
        pytest.skip("Debian's packages chromium and chromium-driver are not installed")
    options = ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options, ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run with hostile respondents, groups, columns and file names."""
    made = ml.simulate(900, 60, groups=2, cv=0.8, seed=1).frame
    made["respondent"], made["group"] = (
        made["respondent"].astype(str) + HOSTILE,
        made["group"].astype(str) + HOSTILE,
    )
    column = HOSTILE.replace("/", "|")  # NetCDF has no "/" in names
    made = made.rename(columns={"group": column})
    folder = tmp_path_factory.mktemp("report")
    data = ml.Comparisons.from_pandas(made, groups=[column], source=f"{HOSTILE}.csv")
    posterior = ml.fit(data, by=[column], evidence=False, draws=200, inference="laplace")
    posterior.save(folder / "<b onclick=alert(1)>")
    return report(folder / "<b onclick=alert(1)>")


@pytest.fixture(scope="module")
def quoting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run whose hostile texts are shown."""
    folder = tmp_path_factory.mktemp("texts")
    made = ml.simulate(200, 20, seed=1).frame
    made["prompt"] = "</dd></dl>" + HOSTILE
    made["chosen"] = "\u202egnp.\x00" + HOSTILE * 60
    made["rejected"] = "<style>*{display:none}</style><iframe src=https://x.test></iframe>"
    made.to_json(folder / "votes.jsonl", orient="records", lines=True)
    data = ml.load(folder / "votes.jsonl")
    ml.fit(data, "fixed", evidence=False, draws=200, inference="laplace").save(folder / "run")
    write_json(folder / "run" / "data.json", data_record(data))
    write_json(folder / "run" / "config.yaml", {"data": str(folder / "votes.jsonl")})
    return report(folder / "run", show_text=True)


def test_hostile_texts_are_inert(browser: Any, quoting: Path) -> None:
    browser.get_log("performance")
    browser.get(quoting.as_uri())
    assert browser.get_log("browser") == []
    assert requests(browser) == [quoting.as_uri()]
    count = "return document.querySelectorAll('script, img, iframe, dl style').length"
    assert browser.execute_script(count) == 0
    shown = browser.find_element("id", "surprising").text
    assert "</dd></dl></title></svg><script>document.title='run'</script>" in shown
    assert "<style>*{display:none}</style><iframe src=https://x.test></iframe>" in shown
    assert "\u202e" not in shown
    assert "characters in all)" in shown
    assert len(browser.find_elements("css selector", ".quote dd")) == 30


@pytest.mark.parametrize("width", [375, 1280], ids=["phone", "laptop"])
def test_it_renders_without_errors_requests_or_overflow(
    browser: Any, page: Path, width: int
) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("performance")
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    assert requests(browser) == [page.as_uri()]
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert browser.title.endswith(": preference strength")
    shown = browser.execute_script(
        "return [...document.querySelectorAll('svg.picture')].map("
        "p => [p.getAttribute('aria-label'), p.getBoundingClientRect().width])"
    )
    assert len(shown) >= 6
    assert all(words and 250 <= wide <= width for words, wide in shown)


def test_hostile_names_are_inert(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    count = "return document.querySelectorAll('script, img, iframe').length"
    assert browser.execute_script(count) == 0
    assert "<img src=https://x.test/a>" in browser.find_element("tag name", "body").text


def test_it_prints_on_few_pages(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.7})
    from base64 import b64decode

    pages = b64decode(printed["data"]).count(b"/Type /Page\n")
    assert 2 <= pages <= 12


def requests(browser: Any) -> list[str]:
    """Addresses asked for since the last call."""
    messages = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
