"""The commands, Python lines and paths that the project's pages and help texts name."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OF_SHELL = ("mkdir", "ls", "mv", "cp", "rm", "source", "until")
PROGRAMS = (*"segcli python pip pipx uv uvx pytest torchrun ruff dask srun labelme".split(), *OF_SHELL)
"""What a line or a piece of code must begin with to count as a command."""
SHELLS = ("", "sh", "bash", "console")
"""The languages of blocks whose lines may be commands."""
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


def strangers(page: Path) -> Iterator[str]:
    """The lines of a block of commands that are not taken for commands, for which nothing is tested."""
    for match in FENCE.finditer(page.read_text(encoding="utf-8")):
        lines = [line.strip() for line in match[2].splitlines() if line.strip() and not line.startswith("#")]
        if match[1] in SHELLS and (match[1] or any(_command(line) for line in lines)):
            firsts = {line: _bare(line).split()[0] for line in lines}
            yield from (line for line, first in firsts.items() if first not in PROGRAMS and not (ROOT / first).exists())


def python_lines(page: Path) -> list[str]:
    """The Python code in running text that imports what it uses."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return [code for code in re.findall(r"`([^`\n]+)`", text) if re.match(r"import .+;", code)]


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
        if match[1] in SHELLS:
            yield from (Command(name, line, True) for line in _lines(match[2]))
        if match[1] == "text":
            typed = "\n".join(re.findall(r"^\$ (.*)", match[2], re.M))
            yield from (Command(name, line, True) for line in _lines(typed))
    for code in re.findall(r"`([^`]+)`", FENCE.sub("", text)):
        if command := _command(" ".join(code.split())):
            yield Command(name, command, False)


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
        if command := _command(line):
            yield command


def _bare(line: str) -> str:
    """A line without the shell's sign and variables before the command, and without the comment behind it."""
    return re.sub(r"^(\$ )?([A-Z_]+=\S+ )*", "", re.sub(r"\s+# .*|\\n$", "", line).strip())


def _command(line: str) -> str:
    """The command of a line; empty where there is none."""
    text = _bare(line)
    told = [word for word in text.split() if word != "..."]
    return text if len(told) > 1 and told[0] in PROGRAMS else ""
