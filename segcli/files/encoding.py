"""The one encoder of every JSON text that segcli writes: NaN and Infinity, which are no JSON, never get into one."""

import json
from typing import Any


def to_json(value: Any, **layout: Any) -> str:
    """The JSON text of plain values.

    Args:
        value: Of dicts by text, lists, texts, numbers, booleans and None.
        layout: `indent`, `sort_keys` and `separators` as those of `json.dumps`.

    Raises:
        ValueError: A number in it is NaN or infinite; what has no value must be None.
    """
    return json.dumps(value, allow_nan=False, **layout)
