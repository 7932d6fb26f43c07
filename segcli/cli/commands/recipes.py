"""`segcli recipes`: the training recipes that come with segcli."""

from typing import Annotated

from rich.table import Table
from typer import Argument

from segcli.cli.display import Display, columns
from segcli.cli.options import completion
from segcli.cli.options.outputs import AsJson
from segcli.training import packaged
from segcli.training.packaged import PackagedRecipe

EXAMPLES = """\
[bold]Examples[/bold]\n
segcli recipes\n
segcli recipes finetune > recipe.toml\n
segcli train --config recipe.toml -o mine
"""


def recipes(
    name: Annotated[
        str | None,
        Argument(metavar="NAME", help="One recipe, as TOML.", show_default=False, autocompletion=completion.recipes),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the recipes that come with segcli, or print one, to change it and give it to `segcli train`."""
    display = Display(as_json)
    if name is not None:
        recipe = packaged.get(name)
        for line in recipe.text.splitlines():
            display.data(line)
        display.json({**_facts(recipe), "toml": recipe.text})
        return
    facts = [_facts(recipe) for recipe in packaged.all_recipes().values()]
    display.table(_table(facts), _table(facts, narrow=True))
    display.json({"recipes": facts})


def _facts(recipe: PackagedRecipe) -> dict[str, str]:
    """One line of the list; the model is named by the first weights where the recipe names none."""
    settings = recipe.read()
    model = settings.model.name or settings.model.init
    return {"name": recipe.name, "model": model, "dataset": settings.data.dataset, "description": recipe.description}


def _table(facts: list[dict[str, str]], narrow: bool = False) -> Table:
    keys = ("name", "description") if narrow else ("name", "model", "dataset", "description")
    table = columns(*keys)
    for row in facts:
        table.add_row(*(row[key] for key in keys))
    return table
