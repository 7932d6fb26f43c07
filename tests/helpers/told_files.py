"""The files that a folder of results may hold, as docs/reference_files_md.py tells them."""

import re
import runpy
from itertools import chain

import documents


def untold(home):
    """The files in folders of results and in the cache that docs/reference_files.md does not name."""
    page = runpy.run_path(str(documents.ROOT / "docs" / "reference_files_md.py"))
    told = {title: [pattern_of(name) for name in rows] for title, _, rows in page["tables"]()}
    cache = told.pop("The cache")
    for title in ("The results of `compare --output`", "The folder of a training", "The results of `eval --output`"):
        del told[title]  # no such folder is among the results below
    results = [path.parent for name in ("manifest.jsonl", "names.toml") for path in home.glob(f"*/{name}")]
    places = [(folder, list(chain(*told.values()))) for folder in results]
    places += [(path, cache) for path in home.glob(".cache") if path.is_dir()]
    assert len(places) > 10
    return [
        str(path.relative_to(home))
        for folder, names in places
        for path in folder.rglob("*")
        if path.is_file() and "Microsoft" not in path.parts  # onnxruntime's own
        if not any(re.fullmatch(name, path.relative_to(folder).as_posix()) for name in names)
    ]


def pattern_of(name):
    """The expression that a file's name must match which the page writes with words in capitals."""
    words = {"NUMBER": r"\d+", "N": r"\d+", "CODE": r"[\w-]+", "NAME": ".+", "CLASS": ".+", "MODEL": "[^/]+"}
    return "".join(words.get(part, re.escape(part)) for part in re.split(r"\b([A-Z]+)\b", name))
