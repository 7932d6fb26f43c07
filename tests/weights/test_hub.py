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
from segcli.files import pace
from segcli.weights import hub
hub.LARGEST_FILE = 1 << 20
from segcli.errors import WeightsError
from segcli.weights.manifest import HubFile
for repo, revision, name in json.loads(sys.argv[1]):
    steps = []
    pace.SECONDS = 1.0 if "trickle" in repo else 60.0
    try:
        file = hub.fetch(HubFile(repo, revision, name), lambda *step: steps.append(step))
        said = {"content": file.path.read_text(), "commit": file.commit, "steps": steps}
    except WeightsError as error:
        said = {"message": error.message, "hint": error.hint}
    print(json.dumps(said))
"""
ODD = ("for-ever", "trickle", "misnamed")
FAULTS = ("gated", "unauthorised", "no-repository", "no-revision", "no-entry", "down", "cut")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """With one sound repository, and for each fault one that has it."""
    root = tmp_path_factory.mktemp("server")
    for repo in (REPO, *(f"broken/{fault}" for fault in (*FAULTS, *ODD))):
        (root / repo).mkdir(parents=True)
        (root / repo / FILE).write_bytes(CONTENT)
    with loopback_hub.serve(root) as hub:
        hub.faults |= {f"broken/{fault}": fault for fault in (*FAULTS, *ODD)}
        hub.etags["broken/misnamed"] = '"../../../../../stray"'
        yield hub


@pytest.fixture
def fetch(server, tmp_path):
    """Runs hub.fetch against the server in a new process, in which nothing else may be printed."""
    server.requests.clear()

    def run(*files, **environment):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        environment = clean | {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home")} | environment
        command = [sys.executable, "-c", FETCH, json.dumps(files or [(REPO, "main", FILE)])]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert result.stderr == ""
        said = [json.loads(line) for line in result.stdout.splitlines()]
        return said if files else said[0]

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
    pinned = (REPO, "a" * 40, FILE)
    first, second = fetch(pinned, pinned)
    assert first["commit"] == second["commit"] == "a" * 40
    resolved = [method for method, path, _, _ in server.requests if "/resolve/" in path]
    assert resolved == ["HEAD", "HEAD", "GET"]


def test_the_token_goes_to_the_endpoint(server, fetch):
    fetch(HF_TOKEN="hf_secret")
    assert {who for method, path, _, who in server.requests if "/resolve/" in path} == {"Bearer hf_secret"}


def test_a_connection_cut_once_is_mended(server, fetch):
    server.faults[REPO] = "cut-once"
    assert fetch()["content"] == CONTENT.decode()


def test_each_refusal_says_what_to_do(server, fetch):
    expected = {
        "gated": ("broken/gated is gated", "log in with `hf auth login`"),
        "unauthorised": ("broken/unauthorised is gated", "Accept its terms"),
        "no-repository": ("broken/no-repository is not on http://127.0.0.1", "HF_ENDPOINT"),
        "no-revision": ("broken/no-revision has no revision main", "segcli models"),
        "no-entry": (f"broken/no-entry has no file {FILE} at main", "segcli models"),
        "down": ("(HTTP 503)", "Try again later"),
        "cut": (f"broken/cut/{FILE} was cut short", "Run the command again"),
    }
    for fault, said in zip(FAULTS, fetch(*((f"broken/{fault}", "main", FILE) for fault in FAULTS)), strict=True):
        message, hint = expected[fault]
        assert message in said["message"], fault
        assert hint in said["hint"], fault


def test_a_server_that_sends_too_much_too_little_or_another_place_writes_nothing(fetch, tmp_path):
    said = fetch(*((f"broken/{fault}", "main", FILE) for fault in ODD))
    expected = ("sends more of", "cut short (less than 64 kB came in 1 seconds)", "does not answer as the Hub does")
    for fault, words, answer in zip(ODD, expected, said, strict=True):
        assert words in answer["message"], fault
    assert not list(tmp_path.rglob("stray*"))
    assert not list(tmp_path.rglob("*.incomplete"))


def test_half_a_download_that_a_killed_process_left_is_cleared_once_nobody_is_at_it(fetch, tmp_path):
    blobs = tmp_path / "home" / "hub" / "models--google--model" / "blobs"
    blobs.mkdir(parents=True)
    old, young, reused = (
        blobs / name for name in ("aa.0123abcd.incomplete", "bb.0123abcd.incomplete", "cc.incomplete")
    )
    for path in (old, young, reused):
        path.write_bytes(b"half")
    for path in (old, reused):
        os.utime(path, (0, 0))
    assert "commit" in fetch()
    assert (old.exists(), young.exists(), reused.exists()) == (False, True, True)


@pytest.mark.parametrize(
    ("environment", "message", "hint"),
    [
        ({"http_proxy": "http://a:b:c", "no_proxy": ""}, "cannot reach http://127.0.0.1", "HTTPS_PROXY"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids", "segcli weights pull"),
        ({"HF_ENDPOINT": REFUSED}, f"cannot reach {REFUSED}", "HTTPS_PROXY"),
        ({"HF_ENDPOINT": "http://no.such.host.invalid"}, "cannot reach http://no.such.host.invalid", "network"),
    ],
    ids=["no proxy", "offline", "refused", "unknown host"],
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
