"""Scripts from templates: values reach shell through `shlex.quote` and Python through `repr`, never bare."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

_FOLDER = Path(__file__).with_name("templates")


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    # HTML escaping would break shell and Python; the filters below quote for the language of the file.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=False,  # noqa: S701
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["sh"] = lambda value: shlex.quote(str(value))
    environment.filters["py"] = repr
    return environment


def filled(template: str, **values: Any) -> bytes:
    """A template with its values; every name that it uses must be given."""
    return _environment().get_template(f"{template}.jinja").render(**values).encode()
