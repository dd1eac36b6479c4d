"""A command that takes the options of training, on its line or from a file such as a run leaves."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import click

from ...graph import RunError, shown, suggest
from ...graph.writing import reaching
from .folder import CONFIG
from .groups import RUN, GroupedCommand, grouped_option
from .named_methods import OPTIMIZERS
from .run_options import RunOptions, takes_run_options
from .settings import Settings, takes_settings

R = TypeVar("R")
Typed = str | bool | list[str]

TABLE: Final = "train"
"""The table of such a file that holds them."""
_KNOWN: Final = (*Settings._fields, *RunOptions._fields)


@takes_settings
@takes_run_options
def _options(settings: Settings, run_options: RunOptions) -> None:
    """Takes all options, to be asked for them."""


_SEVERAL: Final = {p.name for p in click.command()(_options).params if getattr(p, "multiple", 0)}
"""Options that can be given more than once."""


def training_command(name: str | None = None) -> Callable[[Callable[..., R]], click.Command]:
    """Makes a command of a function: with all settings, as its argument `settings`, and --config.

    A command takes from the file what it has an option for; its line says the last word.
    """

    def decorate(f: Callable[..., R]) -> click.Command:
        return click.command(name, cls=GroupedCommand)(config_option(takes_settings(f)))

    return decorate


def read_options(path: Path) -> dict[str, Typed]:
    """The options of a file, or of a run's folder, by name and as they would be typed.

    Raises RunError for what is no TOML, and names what is no option of training.
    """
    with reaching(path):
        path = path / CONFIG if path.is_dir() else path
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise RunError(f"{path} cannot be read: {e.strerror or e}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise RunError(f"{path} is no TOML: {e}") from None
    stray = [key for key in content if key not in (TABLE, "verigrad")]
    if stray:
        where = f"; options stand below [{TABLE}]" if stray[0] in _KNOWN else ""
        raise RunError(
            f"{path} holds {shown(stray[0])}, where [{TABLE}] is expected"
            f"{where or suggest(stray[0], [TABLE])}"
        )
    options = content.get(TABLE, {})
    if not isinstance(options, Mapping):
        raise RunError(f"{path} holds {TABLE} = {shown(options)}, where a table is expected")
    typed = {key: _typed(path, key, value) for key, value in options.items()}
    own = OPTIMIZERS.get(str(options.get("optimizer")))
    if own is not None and options.get("lr") == own.lr:
        del typed["lr"]  # a run writes down its optimizer's own rate: another has its own
    return typed


def _typed(path: Path, key: str, value: object) -> Typed:
    """The value as it is typed on a command line."""
    if key not in _KNOWN:
        raise RunError(f"{path}: there is no option {shown(key)}{suggest(key, _KNOWN)}")
    if isinstance(value, (str, bool)) and key not in _SEVERAL:
        return value
    values = value if isinstance(value, list) else [value]
    if key in _SEVERAL:
        return [str(v) for v in values]
    if not all(type(v) in (str, int, float) for v in values):
        raise RunError(f"{path}: {key} is {shown(value)}, where a text or a number is expected")
    return ",".join([str(v) for v in values])


def _take(ctx: click.Context, param: click.Parameter, path: Path | None) -> Path | None:
    """Lays the options of the file below those of the line, before these are read."""
    if path is not None:
        ctx.default_map = {**(ctx.default_map or {}), **read_options(path)}
    return path


config_option: Final = grouped_option(
    "--config",
    group=RUN,
    type=click.Path(path_type=Path),
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_take,
    help="Options from a TOML file, such as the config.toml of a run, or from that run's folder; "
    "those given here as well win.",
)
