"""The options of training as `tune` takes them: each with a value, or with a range to try."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from ...graph import RunError
from ..tuning.ranges import Range, choices, distributions, numbers
from .groups import DATA, GroupedOption
from .run_options import RunOptions, takes_run_options
from .settings import Settings, asks_for_batch, takes_settings

R = TypeVar("R")

_COLONS: Final = ("init", "log_to")
"""Options whose values may have colons."""
_FIXED: Final = ("log_to", "threads", "verify_products")
"""Options that change no result, and are no part of what is tried; and so are those of the data,
which the trials are compared on."""
_OF_A_RUN: Final = ("threads", "processes", "audit")
"""Options of one run, which trials do not take."""
_RIVALS: Final = (("epochs", "steps"), ("clip_value", "clip_norm"))

Values = dict[str, Any]


class Asked(NamedTuple):
    """What the options say: texts of those that are fixed, by name, and ranges of the others."""

    fixed: Values
    ranges: dict[str, Range]


@takes_settings
@takes_run_options
def _read(settings: Settings, run_options: RunOptions) -> tuple[Settings, RunOptions, bool]:
    """What the options come to, and whether the size of a batch was asked for."""
    return settings, run_options, asks_for_batch()


_TRAINING: Final = click.command("tune")(_read)


def read_options(values: Values, rows: int | None = None) -> tuple[Settings, RunOptions]:
    """Settings and options of a run whose options are these, read and refused as `train` does;
    for so many rows, where they are known. Raises click's errors."""
    given = {k: v for k, v in values.items() if v is not None}
    context = _TRAINING.make_context("verigrad tune", [], default_map=given)
    with context:
        settings, run_options, asked = _TRAINING.invoke(context)
    if rows is not None and not asked:
        settings = settings.holding(rows)
    return settings, run_options


def takes_ranges(f: Callable[..., R]) -> Callable[..., R]:
    """A command that takes all options of training, or ranges, gathered as its argument `asked`."""

    @functools.wraps(f)
    def call(**options: Any) -> R:
        distributions()  # or says what is not installed
        context = click.get_current_context()
        given = {p.name: options.pop(p.name) for p in _OPTIONS}
        for rivals in (*_RIVALS, *(pair[::-1] for pair in _RIVALS)):
            sources = [context.get_parameter_source(name) for name in rivals]
            if sources == [ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP]:
                given[rivals[1]] = None  # that of a file
        asked = Asked({}, {})
        for option in _OPTIONS:
            value = given[option.name]
            found = _range(option, context, value) if isinstance(value, str) else None
            if found is not None:
                asked.ranges[str(option.name)] = found
            elif value not in (None, ()):
                asked.fixed[str(option.name)] = value
        return f(asked=asked, **options)

    call.__click_params__ = [  # type: ignore[attr-defined]
        *getattr(f, "__click_params__", []),
        *[_as_text(option) for option in reversed(_OPTIONS)],
    ]
    return call


def typed(options: Mapping[str, Any]) -> Values:
    """The options of a trial as they are typed."""
    return {name: v if isinstance(v, str) else repr(v) for name, v in options.items()}


def _range(option: click.Option, context: click.Context, text: str) -> Range | None:
    """What the text says to try, if it does. Raises a usage error that names the option."""

    def value(part: str) -> Any:
        read = option.type.convert(part, option, context)
        return read[0] if isinstance(read, tuple) and len(read) == 1 else read

    fixed = option.name in _FIXED or getattr(option, "group", None) == DATA
    try:
        if not fixed and "|" in text:
            return _choices(text.split("|"), value)
        if not fixed and ".." in text:
            return numbers(text, value)
        if not fixed and ":" in text and option.name not in _COLONS:
            return _choices(text.split(":"), value)
    except RunError as e:
        raise click.BadParameter(str(e), context, option) from None
    except click.BadParameter as e:
        raise click.BadParameter(e.message, context, option) from None
    return None


def _choices(parts: list[str], value: Callable[[str], Any]) -> Range:
    for part in parts:
        value(part)  # which refuses what is none
    return choices(parts)


def _as_text(option: click.Option) -> GroupedOption:
    """The option with a text for its value, which may be a range."""
    kind = option.type
    metavar = f"[{'|'.join(kind.choices)}]" if isinstance(kind, click.Choice) else option.metavar
    optional: dict[str, Any] = {}
    if option.is_flag:
        metavar, optional = "[on|off]", {"is_flag": False, "flag_value": "on"}
    elif isinstance(option.flag_value, str):
        optional = {"is_flag": False, "flag_value": option.flag_value}
    shown = option.show_default and not option.is_flag
    return GroupedOption(
        option.opts,
        group=getattr(option, "group", ""),
        type=str,
        multiple=option.multiple,
        metavar=metavar or kind.name.upper(),
        help=f"{option.help}  [default: {option.default}]" if shown else option.help,
        shell_complete=kind.shell_complete,
        **optional,
    )


_OPTIONS: Final[list[click.Option]] = [
    p for p in _TRAINING.params if isinstance(p, click.Option) and p.name not in _OF_A_RUN
]
FLAGS: Final = {p.name for p in _OPTIONS if p.is_flag}
"""Options that take no value on the line of `train`."""
