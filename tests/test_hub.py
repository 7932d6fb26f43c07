"""In subprocesses, since huggingface_hub reads HF_ENDPOINT and HF_HUB_OFFLINE when it is imported."""

import json
import os
import subprocess
import sys

import loopback_hub
import pytest

REPO, FILE = "google/model", "pytorch_model.bin"
CONTENT = b"weights" * 1000
REFUSED = "http://127.0.0.1:9"
FETCH = """
import json, sys, time
time.sleep = lambda seconds: None  # between retries
from segcli import hub
from segcli.errors import WeightsError
from segcli.manifest import HubFile
steps = []
try:
    file = hub.fetch(HubFile(*sys.argv[1:]), lambda *step: steps.append(step))
    said = {"content": file.path.read_text(), "commit": file.commit, "steps": steps}
except WeightsError as error:
    said = {"message": error.message, "hint": error.hint}
print(json.dumps(said))
"""


@pytest.fixture
def server(tmp_path):
    file = tmp_path / "server" / REPO / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    with loopback_hub.serve(tmp_path / "server") as hub:
        yield hub


@pytest.fixture
def fetch(server, tmp_path):
    """Runs hub.fetch against the server in a new process; nothing but its one line may be printed."""

    def run(repo=REPO, revision="main", file=FILE, **environment):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        environment = clean | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")} | environment
        command = [sys.executable, "-c", FETCH, repo, revision, file]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert result.stderr == ""
        return json.loads(result.stdout)

    return run


def downloads(server):
    return [path for method, path, _, _ in server.requests if method == "GET" and "/resolve/" in path]


def test_a_file_comes_with_its_commit_and_its_progress(server, fetch):
    said = fetch()
    assert said["content"] == CONTENT.decode()
    assert said["commit"] == loopback_hub.COMMIT
    assert said["steps"][0] == [FILE, 0, len(CONTENT)]
    assert said["steps"][-1] == [FILE, len(CONTENT), len(CONTENT)]


def test_a_cached_file_is_used_again_online_offline_and_without_the_server(server, fetch):
    first = fetch()
    for environment in ({}, {"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": REFUSED}):
        assert fetch(**environment) == first | {"steps": []}
    assert len(downloads(server)) == 1


def test_a_pinned_cached_file_costs_no_request(server, fetch):
    fetch(revision="a" * 40)
    server.requests.clear()
    assert fetch(revision="a" * 40)["commit"] == "a" * 40
    assert [path for _, path, _, _ in server.requests if "/resolve/" in path] == []


def test_the_token_goes_to_the_endpoint(server, fetch):
    fetch(HF_TOKEN="hf_secret")
    assert {who for method, path, _, who in server.requests if "/resolve/" in path} == {"Bearer hf_secret"}


def test_a_connection_cut_once_is_mended(server, fetch):
    server.faults[FILE] = "cut-once"
    assert fetch()["content"] == CONTENT.decode()


@pytest.mark.parametrize(
    ("fault", "message", "hint"),
    [
        ("gated", f"{REPO} is gated", "log in with `hf auth login`"),
        ("unauthorised", f"{REPO} is gated", "Accept its terms"),
        ("no-repository", f"{REPO} is not on http://127.0.0.1", "HF_ENDPOINT"),
        ("no-revision", f"{REPO} has no revision main", "segcli weights list"),
        ("no-entry", f"{REPO} has no file {FILE} at main", "segcli weights list"),
        ("down", "(HTTP 503)", "Try again later"),
        ("cut", f"{REPO}/{FILE} was cut short", "Run the command again"),
    ],
)
def test_each_refusal_says_what_to_do(server, fetch, fault, message, hint):
    server.faults[REPO] = fault
    said = fetch()
    assert message in said["message"]
    assert hint in said["hint"]


@pytest.mark.parametrize(
    ("environment", "message", "hint"),
    [
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids", "segcli weights pull"),
        ({"HF_ENDPOINT": REFUSED}, f"cannot reach {REFUSED}", "HTTPS_PROXY"),
        ({"HF_ENDPOINT": "http://no.such.host.invalid"}, "cannot reach http://no.such.host.invalid", "network"),
    ],
    ids=["offline", "refused", "unknown host"],
)
def test_what_is_not_cached_cannot_be_had_without_a_network(fetch, environment, message, hint):
    said = fetch(**environment)
    assert message in said["message"]
    assert hint in said["hint"]


def test_a_cache_that_cannot_be_written_says_where_to_put_it(fetch, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    said = fetch()
    assert "cache" in said["message"]
    assert "HF_HOME" in said["hint"]
