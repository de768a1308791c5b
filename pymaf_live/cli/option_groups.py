"""Groups of command-line options declared once, as dataclasses.

typer reads a command's options from the parameters of its function. `expand_option_groups` lets
several commands share options: a parameter annotated with a dataclass stands for all its fields.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def expand_option_groups(command: Callable[..., int]) -> Callable[..., int]:
    """Replace every dataclass parameter of a command by one option per field.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Network:
    ...     model: str = "auto"
    >>> @expand_option_groups
    ... def run(*, network: Network, force: bool = False) -> int:
    ...     print(network, force)
    ...     return 0
    >>> list(inspect.signature(run).parameters)
    ['model', 'force']
    >>> run(model="lite", force=True)
    Network(model='lite') True
    0
    """
    groups: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    signature = inspect.signature(command, eval_str=True)
    for parameter in signature.parameters.values():
        if is_dataclass(parameter.annotation) and isinstance(parameter.annotation, type):
            groups[parameter.name] = parameter.annotation
            parameters += _field_parameters(parameter.annotation)
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(command)
    def expanded(**values: Any) -> int:
        for name, group in groups.items():
            values[name] = group(**{each.name: values.pop(each.name) for each in fields(group)})
        return command(**values)

    del expanded.__wrapped__  # inspect would look through it
    expanded.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {each.name: each.annotation for each in parameters}
    return expanded


def _field_parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if each.default is MISSING else each.default,
            annotation=hints[each.name],
        )
        for each in fields(group)
    ]
