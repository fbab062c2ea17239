"""The documents are true."""

import json
import re
from pathlib import Path

import pytest

from kombu_zipkin.cli.job_settings import JobsSettings
from kombu_zipkin.cli.span_settings import SpansSettings
from kombu_zipkin.jobs import WorkerSettings
from kombu_zipkin.relay import RelaySettings
from kombu_zipkin.runtime import Metrics, ProgramSettings
from kombu_zipkin.spans import RedisStreamTransport
from producer.settings import ProducerSettings
from stack.settings import StackSettings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SETTINGS: list[type[ProgramSettings]] = [
    ProducerSettings,
    WorkerSettings,
    RelaySettings,
    StackSettings,
    SpansSettings,
    JobsSettings,
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_points_to_is_there(document: Path) -> None:
    """Links to files of the project, and files named in text."""
    text = document.read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (document.parent / target).exists(), f"link to {target}"
    for named in re.findall(r"`((?:transports|producer|worker|stack|tests|docs|benchmarks)/[\w./-]+)`", text):
        assert (ROOT / named).exists(), f"mention of {named}"


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.__name__)
def test_every_setting_is_documented_as_it_is(settings: type[ProgramSettings]) -> None:
    """Name, default and meaning, in docs/configuration.md."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    for name, field in settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        row = f"| `{name.upper()}` | {default} | {field.description} |"
        assert row in text, f"expected the row:\n{row}"


def exported() -> set[str]:
    """Return the name of every metric."""
    metrics = Metrics()
    metrics.watch_spans(RedisStreamTransport("redis://127.0.0.1:1/0").counts)
    page = metrics.page().decode()
    families = set(re.findall(r"^# TYPE (\w+) (?:counter|gauge|histogram)$", page, re.MULTILINE))
    return {name for name in families if not name.endswith("_created") or "kombu_zipkin_spans_created" in name}


def named_in(text: str) -> set[str]:
    """Return the metrics that a text names in its expressions."""
    found = re.findall(r"\b(?:kombu_zipkin|zipkin_collector)_\w+", text)
    return {re.sub("_(?:bucket|count|sum)$", "", name) for name in found}


def test_every_metric_is_documented() -> None:
    """In docs/operations.md."""
    text = (ROOT / "docs" / "operations.md").read_text()
    assert len(exported()) > 15
    assert {name for name in exported() if f"`{name}`" not in text} == set()


def test_alerts_and_dashboard_name_metrics_that_are_there() -> None:
    """And the dashboard shows every one of them."""
    alerts = (ROOT / "docs" / "operations.md").read_text().split("## Alerts")[1].split("##")[0]
    assert len(named_in(alerts)) > 5
    assert named_in(alerts) <= exported()
    dashboard = json.loads((ROOT / "docs" / "grafana.json").read_text())
    expressions = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    assert named_in(expressions) == exported()
