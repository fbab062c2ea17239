"""The JSON API keeps to its own OpenAPI document, whatever it is sent. On the running system."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import schemathesis

from tests.producer.test_web_app import finished
from tests.servers import Programs

NOT_HELD = "positive_data_acceptance"
"""That all that the schema takes is taken: which tasks there are, only the running workers know."""
SCHEMATHESIS = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]


def test_the_document_names_every_route_of_the_api(system: Programs) -> None:
    """And is of the version that it says."""
    document = system.get("/api/openapi.json")[1]
    assert document["openapi"] == "3.1.0"
    assert {f"{method} {path}" for path, methods in document["paths"].items() for method in methods} == {
        *("get /api/jobs", "post /api/jobs", "get /api/jobs/{job_id}", "post /api/jobs/{job_id}/retry"),
        *("get /api/tasks", "get /api/openapi.json"),
    }
    assert document["components"]["schemas"]["NewJob"]["properties"]["delay_ms"]["minimum"] == 0


def test_whatever_is_sent_the_answer_is_as_described(system: Programs, tmp_path: Path) -> None:
    """No 5xx; status, type, headers and schema of every answer are in the document; what it forbids is refused."""
    options = ["--exclude-checks", NOT_HELD, "--max-examples", "60", "--phases", "examples,coverage,fuzzing"]
    still = ["--seed", "20", "--generation-database", "none", "--no-color"]
    command = [*SCHEMATHESIS, "run", f"{system.url}/api/openapi.json", *options, *still]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    assert "No issues found" in done.stdout


def test_a_job_in_every_state_is_as_described(system: Programs) -> None:
    """Succeeded, retried, dead-lettered with its error, waiting for its time; alone and listed."""
    described: Any = schemathesis.openapi.from_url(f"{system.url}/api/openapi.json")
    job, jobs = described["/api/jobs/{job_id}"]["GET"], described["/api/jobs"]["GET"]
    bodies = [{"task": "do_stuff", "arguments": {"seconds": 0}}, {"task": "flaky", "arguments": {"failures": 1}}]
    ids = [finished(system, system.post("/api/jobs", body)[1]["id"])["id"] for body in [*bodies, {"task": "fail"}]]
    ids.append(system.post("/api/jobs", {"task": "demo", "delay_ms": 3000})[1]["id"])
    states = [job.Case(path_parameters={"job_id": each}).call_and_validate().json()["state"] for each in ids]
    assert states == ["succeeded", "succeeded", "dead_lettered", "waiting"]
    listed = jobs.Case(query={"limit": 4}).call_and_validate().json()["jobs"]
    assert {each["id"] for each in listed} == set(ids)
