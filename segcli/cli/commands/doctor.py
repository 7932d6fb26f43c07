"""`segcli doctor`: what is wrong with this installation."""

from dataclasses import asdict

import typer

from segcli.cli.display import Display
from segcli.cli.options.outputs import AsJson
from segcli.errors import EXIT_FAILED

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli doctor\n
segcli doctor --json
"""


def doctor(as_json: AsJson = False) -> None:
    """Check packages, GPU, disk, weights and the Hub; for each problem, print the line that repairs it.

    Exit code 1 means that something is wrong.
    """
    display = Display(as_json)
    from segcli.cli.doctor import checks

    found = []
    for check in checks():
        found.append(check)
        display.data(f"{'ok   ' if check.ok else 'WRONG'} {check.name:9} {check.detail}")
        if check.cure:
            display.data(f"      mend it   {check.cure}")
    healthy = all(check.ok for check in found)
    display.json({"healthy": healthy, "checks": [asdict(check) for check in found]})
    if not healthy:
        raise typer.Exit(EXIT_FAILED)
