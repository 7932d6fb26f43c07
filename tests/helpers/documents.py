"""The commands, Python lines and paths that the project's pages and help texts name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = ("segcli", "python", "pip", "pipx", "uv", "uvx", "pytest", "torchrun", "ruff", "mkdir", "ls")
"""What a line or a piece of code must begin with to count as a command."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


TOLD_ELSEWHERE = ("CHANGELOG.md", "commands.md")
"""Pages whose commands are of earlier versions, or those of the help, which are found there."""


@dataclass(frozen=True)
class Command:
    """A command line as it is printed.

    Attributes:
        page: The file it stands in, relative to the repository's root, or "segcli COMMAND --help".
        text: The line, without a comment behind it.
        whole: Whether it stands on a line of its own, to be typed as it is; in running text arguments may be left out.
    """

    page: str
    text: str
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def pages() -> list[Path]:
    """Every Markdown file of the repository that readers are meant to see, in a fixed order."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def commands() -> list[Command]:
    """Every command on a page, in a recipe's comment or in a help text, in the order of its page."""
    found = [command for page in pages() if page.name not in TOLD_ELSEWHERE for command in _on_page(page)]
    found += [
        Command(path.relative_to(ROOT).as_posix(), text, True)
        for path in sorted(ROOT.glob("segcli/training/recipes/*.toml"))
        for text in _lines(re.sub("^# ?", "", path.read_text(encoding="utf-8"), flags=re.M))
    ]
    return [*found, *_in_help()]


def python_blocks(page: Path) -> list[str]:
    """The Python lines of a page, block by block; each has as many empty lines before it as stand before it there."""
    text = page.read_text(encoding="utf-8")
    return [
        "\n" * text.count("\n", 0, match.start(2)) + match[2] for match in FENCE.finditer(text) if match[1] == "python"
    ]


def words(text: str) -> list[str]:
    """A command line's words and the signs between commands."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|>&")
    lexer.whitespace_split = True
    lexer.commenters = ""
    return list(lexer)


def _on_page(page: Path) -> Iterator[Command]:
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    for match in FENCE.finditer(text):
        if match[1] in ("", "sh", "bash", "console"):
            yield from (Command(name, line, True) for line in _lines(match[2]))
        if match[1] == "text":
            typed = "\n".join(re.findall(r"^\$ (.*)", match[2], re.M))
            yield from (Command(name, line, True) for line in _lines(typed))
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        if _is_command(code):
            yield Command(name, " ".join(code.split()), False)


def _in_help() -> Iterator[Command]:
    from segcli.cli.listing import COMMANDS, imported

    wholes = [imported(name) for name in COMMANDS]
    parts = [(f"{group.name} ", group.typer_instance) for whole in wholes for group in whole.registered_groups]
    for prefix, group in [*(("", whole) for whole in wholes), *parts]:
        for info in group.registered_commands:
            epilog = info.epilog or ""
            yield from (Command(f"segcli {prefix}{info.name} --help", line, True) for line in _lines(epilog))


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        command = re.sub(r"\s+# .*|\\n$", "", line).strip()
        if _is_command(command):
            yield command


def _is_command(text: str) -> bool:
    return len(text.split()) > 1 and text.split(maxsplit=1)[0] in PROGRAMS and not text.startswith("python's")
