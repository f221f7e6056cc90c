"""Fills the page's templates: all that is printed is escaped, and only our own script, by its hash, may run."""

import base64
import functools
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from amends.evaluation.paired_tests import SIGNIFICANCE
from amends.reporting import wording
from amends.reporting.differences import SPAN, TICKS
from amends.reporting.losses import HEIGHT, WIDTH
from amends.storage.files import write_atomically
from amends.text.display import for_terminal

TEMPLATES = Path(__file__).parent / "templates"
CHARACTERS_SHOWN = 1_500
GENERATOR = '<meta name="generator" content="amends report">'
"""By which a page of ours is known before it is overwritten."""


def write_page(path: Path, template: str, **data: Any) -> None:
    """Writes a page from a template and what it prints; equal inputs give equal bytes."""
    page = _environment().get_template(template).render(**data)
    # A model can emit half of a surrogate pair, which UTF-8 has no bytes for.
    write_atomically(path, page.encode("utf-8", "replace").decode())


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script, style = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("script.js", "style.css"))
    environment.globals.update(
        script=Markup(script),  # our own file, as the style: nothing of a run is in them
        style=Markup(style),
        policy=_policy(script),
        significance=SIGNIFICANCE,
        characters_shown=CHARACTERS_SHOWN,
        span=SPAN,
        ticks=TICKS,
        curve_width=WIDTH,
        curve_height=HEIGHT,
    )
    environment.filters.update(percent=_percent, place=_place, plain=_plain, pretty_json=_pretty_json)
    return environment


def _policy(script: str) -> str:
    """No address is loaded, no form is sent, and no script runs but the one with this hash (CSP level 2)."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; base-uri 'none'; "
        "form-action 'none'"
    )


def _seen(value: Any) -> Any:
    """All that the page prints, so that nobody's text acts on it or is not seen; what is markup already is ours."""
    return for_terminal(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _percent(value: float | None) -> str:
    return wording.NOTHING if value is None else f"{100 * value:.1f}"


def _place(value: float) -> str:
    """Percent of a width or height, as the style sheet takes it."""
    return f"{value:.2f}"


def _plain(value: Any) -> str:
    """A value from a dict that was written elsewhere, as text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return wording.NOTHING if value is None else str(value)


def _pretty_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
