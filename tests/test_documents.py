"""What the pages and the help texts print is true: commands run as written, Python lines run, named files exist.

The commands run in a folder of small pictures, with tiny networks in the cache in place of downloads. NOT_RUN lists
those that are parsed only, and why.
"""

import os
import pkgutil
import re
import shutil
from pathlib import Path

import documents
import pytest
import told_files
import workspace
from documents import Command
from spelling import WrongError, check, parts
from typer.testing import CliRunner

ROOT = documents.ROOT
NOT_RUN = {
    r"segcli train .*--config (?!recipe|mine|finetune).*": "needs a published dataset; its recipe is read",
    r"segcli train photos (masks|.*--folds) .*": "needs more photos than are here, with other labels",
    r"segcli train train trainannot .*": "needs a published dataset",
    r"segcli train … .*": "is no command to be typed",
    r"segcli eval --dataset camvid .*": "needs a published dataset",
    r"segcli eval --dataset voc2012 --weights run": "needs a model that was trained on that dataset",
    r"segcli eval (photos labels .*)?--weights (mine|run).*": "needs a run; tests/test_own_model_pages.py has one",
    r"segcli eval round2/labelme .*": "needs a person's corrections; tests/test_own_model_pages.py makes some",
    r"segcli weights convert model.pth .*": "needs 240 MB of another project's weights",
    r"segcli (export|predict) .*street.*--precision int8.*": "calibrates for seconds; tests/cli/commands runs it",
    r"segcli predict .* --weights fast.onnx": "needs that file",
    r"segcli export .* -o model.pt2 .*": "torch.export takes many seconds; tests/export runs it",
    r"segcli models \S+ --size 513 .*": "counts a row of a paper's table; tests/test_docs_tables.py builds each",
    r"segcli models --all.*": "counts every variant for five seconds; tests/cli/commands/test_models.py does",
    r"segcli crf .* --tune .*": "tries 150 settings; tests/crf/test_tuning.py runs it",
    r"segcli predict .*--cluster .*": "needs a cluster; tests/pipeline/cluster has one on this computer",
    r"segcli predict .*(s3|https)://.*": "needs a store; tests/pipeline/stored has one on this computer",
    r"torchrun .*": "starts several processes; tests run two of them elsewhere",
    r"python (benchmarks|examples|tests)/.*": "measures or renders for minutes; its arguments are parsed",
    r"python docs/.*": "writes the page anew; tests/test_docs_*.py compare what it would write",
    r"(pip|pipx|uv|uvx) .*": "needs a package index; .ci/run does it with pip",
    r"python -m venv .*": "makes an environment; .ci/run does it",
    r"pytest|ruff .*": "runs these tests, and what .ci/run runs",
    r"segcli --install-completion": "changes the shell's files; tests/cli/options/test_completion.py tries it",
    r"cp .*": "copies scenes that are not rendered here",
    r"(rm|source|until) .*": "removes files, or changes or waits in the shell that it is typed into",
    r"(dask|srun) .*": "starts a cluster; tests/pipeline/cluster has one on this computer. Dask's parser reads it",
    r"labelme .*": "opens the window of another program",
}
ADDED = {
    r"segcli train (?!.*--dry-run).*": "--dry-run",  # minutes to hours: planned; tests/test_own_model_pages.py trains
    r"segcli init (?!.*--force).*": "--force",  # there is a recipe.toml of other commands
}
"""What is added to commands that otherwise could not run here."""
ENDS_WITH = {r"segcli predict mixed/ .*": 3}
"""The exit codes of commands that are printed to show how they fail."""
INCOMPLETE = ("Missing", "no photos to learn from are named", "no dataset is named", "neither a run nor photos")
"""What is said of a command that lacks arguments, which running text may leave out."""
NAMES = {
    "crf.md": """
import numpy as np, torch
probabilities = torch.full((3, 12, 16), 1 / 3)
rgb = np.zeros((12, 16, 3), np.uint8)
label_map = np.full((12, 16), 255, np.uint8)
"""
}
"""What a page takes for granted before its first Python line."""
RUN_ELSEWHERE = {"export.md": "tests/export/test_export.py"}
PAGES = sorted({command.page for command in documents.commands()})


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return workspace.with_cache(tmp_path_factory.mktemp("documents"))


@pytest.fixture
def home(template, tmp_path, monkeypatch):
    """A folder of one's own with all that the pages name, and no network."""
    workspace.settle(template, tmp_path, monkeypatch)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_are_spelt_right(page, home):
    wrong = [found for command in documents.commands() if command.page == page for found in complaints(check, command)]
    assert not wrong, "\n".join(wrong)


def test_the_commands_run_as_written(home):
    """All in one folder, page by page: some use what others before them made. What stands twice runs once."""
    printed = {command.text: command for command in documents.commands()[::-1]}
    in_order = sorted(printed.values(), key=documents.commands().index)
    wrong = [found for command in in_order for found in complaints(run, command)]
    assert not wrong, "\n".join(wrong)
    assert told_files.untold(home) == [], "docs/reference_files_md.py does not tell of these files"


def complaints(act, command):
    try:
        act(command)
    except WrongError as reason:
        yield f"{command}\n    {reason}"


def test_every_exception_is_needed():
    texts = [" ".join(part) for command in documents.commands() for part in parts(command.text)]
    assert [pattern for pattern in {**NOT_RUN, **ADDED} if not any(re.fullmatch(pattern, text) for text in texts)] == []


def test_a_block_of_commands_holds_nothing_that_is_not_known_as_one():
    told = [page for page in documents.pages() if page.name not in documents.TOLD_ELSEWHERE]
    assert [f"{page.name}: {line}" for page in told for line in documents.strangers(page)] == []


def run(command):
    """Run each part of a line that can run here, pipes and redirections included."""
    told = ""
    for words in parts(command.text):
        text = " ".join(words)
        if any(re.fullmatch(pattern, text) for pattern in NOT_RUN):
            continue
        if words[0] in documents.OF_SHELL:
            told = shell(*words)
            continue
        words += [more for like, more in ADDED.items() if re.fullmatch(like, text)]
        result = segcli([str(Path(word).expanduser()) if word.startswith("~") else word for word in words[1:]], told)
        if result.exit_code == 2 and not command.whole and any(said in result.output for said in INCOMPLETE):
            return
        if result.exit_code != next((code for like, code in ENDS_WITH.items() if re.fullmatch(like, text)), 0):
            raise WrongError(f"exit code {result.exit_code}: {result.output.strip()[-500:]}")
        told = result.stdout
    if ">" in documents.words(command.text):
        Path(documents.words(command.text)[-1]).write_text(told)


def shell(name, *arguments):
    """Do what a command of the shell does, and return what it prints."""
    if name == "ls":
        return "".join(f"{path}\n" for pattern in arguments for path in sorted(Path().glob(pattern)))
    {"mkdir": os.makedirs, "mv": shutil.move}[name](*(word for word in arguments if word != "-p"))
    return ""


def segcli(arguments, stdin):
    from segcli.cli.app import app

    return CliRunner().invoke(app, arguments, input=stdin)


@pytest.mark.parametrize(
    "text",
    [
        "segcli predict photos/ --sise 97",
        "segcli predict photos/ --save maks",
        "segcli predikt photos/",
        "segcli predict photos/ --size 12",
        "segcli crf photos/ --labels scribbles/ --probs segmented",
        "segcli train --config no-such-recipe",
        "segcli train --config finetune --set schedule.iteration=3",
        "torchrun --nproc-per-node 2 -m segcli predict photos/ --crff",
        "python benchmarks/crf.py --thread-count 2",
        "python benchmarks/no_such.py",
        "srun --ntasks=1 dask workers tcp://10.0.0.5:8786 &",
        "pip install .[tests]",
        "pipx install .[tests]",
        "uvx --from . segcli predict photos/ --sise 97",
    ],
)
def test_a_misspelt_command_would_be_found(text, home):
    with pytest.raises(WrongError):
        check(Command("page.md", text, True))


@pytest.mark.parametrize("page", [page for page in documents.pages() if documents.python_blocks(page)], ids=str)
def test_the_python_lines_of_a_page_run_in_order(page, home):
    if page.name in RUN_ELSEWHERE:
        assert page.name in (ROOT / RUN_ELSEWHERE[page.name]).read_text()
        return
    names = {"__name__": "__main__"}
    exec(NAMES.get(page.name, ""), names)
    for block in documents.python_blocks(page):
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", [page for page in documents.pages() if documents.python_lines(page)], ids=str)
def test_the_python_code_in_running_text_runs(page, home):
    for line in documents.python_lines(page):
        exec(compile(line, str(page), "exec"), {})


def test_every_link_leads_somewhere():
    broken = []
    for page in documents.pages():
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            path, _, heading = target.partition("#")
            if "://" in target or target.startswith("mailto:"):
                continue
            there = (page.parent / path).resolve() if path else page
            if not there.exists() or (heading and heading not in headings(there)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def headings(page):
    """The anchors that GitHub gives a page's headings."""
    titles = re.findall(r"^#+ (.*)$", documents.FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_file_of_the_project_that_a_page_names_exists():
    missing = []
    for page in documents.pages():
        for path in re.findall(r"`((?:segcli|tests|examples|benchmarks|docs|\.ci)/[\w./*-]*)`", prose(page)):
            if not any(ROOT.glob(path.rstrip("/"))):
                missing.append(f"{page.relative_to(ROOT)}: {path}")
    assert missing == []


def test_every_name_of_the_package_that_a_page_mentions_exists():
    names = {name for page in documents.pages() for name in re.findall(r"`(segcli(?:\.[A-Za-z_]\w*)+)", prose(page))}
    unknown = []
    for name in sorted(names):
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError):
            unknown.append(name)
    assert "segcli.crf.tuning.tune" in names
    assert unknown == []


def prose(page):
    """A page without its blocks of code; nothing of the changelog, which tells of names as they were."""
    return "" if page.name == "CHANGELOG.md" else documents.FENCE.sub("", page.read_text(encoding="utf-8"))
