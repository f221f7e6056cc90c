"""The report's plots as SVG to put into a page: their colours and type are the page's, their bytes do not vary."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Colours that matplotlib is told, and what the page's style sheet makes of them, for light, dark and print.
_INK, _FAINT = "#0a0b00", "#0a0b0f"
_SERIES = tuple(f"#0a0c{index:02x}" for index in range(8))
_STYLES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "D", "^", "v", "P", "*", "X")
_PAGE_COLORS = {
    _INK: "var(--ink)",
    _FAINT: "var(--line)",
    **{color: f"var(--series-{index})" for index, color in enumerate(_SERIES)},
}

_SETTINGS = {
    # Ids are hashes salted with this, random otherwise.
    "svg.hashsalt": "amends",
    "svg.fonttype": "none",
    # A `$` in a name is a dollar sign.
    "text.parse_math": False,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


class Estimate(NamedTuple):
    """A line of a forest plot: a rate in [0, 1], its interval, and whether the system was guided."""

    label: str
    rate: float
    interval: tuple[float, float]
    guided: bool


def forest_plot(estimates: Sequence[Estimate], name: str, references: Mapping[bool, float]) -> str:
    """SVG of rates in percent with their intervals, first one on top.

    `references`: rates in [0, 1] for dashed lines, by whether inference is guided. `name` makes the SVG's ids unique.
    """
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _figure(height_inches=0.9 + 0.34 * len(estimates))
        for place, estimate in enumerate(estimates):
            color = _SERIES[estimate.guided]
            low, high = (100 * bound for bound in estimate.interval)
            axes.plot([low, high], [place, place], color=color, linewidth=2.2, solid_capstyle="round")
            marker = "D" if estimate.guided else "o"
            axes.plot(100 * estimate.rate, place, marker, color=color, markersize=7)
            axes.annotate(
                f"{100 * estimate.rate:.1f}", (1.02, place), xycoords=("axes fraction", "data"), va="center", ha="left"
            )
        for guided, rate in references.items():
            axes.axvline(100 * rate, color=_SERIES[guided], linewidth=0.9, linestyle=(0, (4, 4)), zorder=0)
        axes.set_yticks(range(len(estimates)), [estimate.label for estimate in estimates])
        axes.set_ylim(len(estimates) - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("harmless rate, %, with 95 % interval")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        return _svg(figure, name)


class Place(NamedTuple):
    """A system in a frontier plot: what its safety costs, and its harmless rate in [0, 1]."""

    method: str
    guided: bool
    price: float
    rate: float


def frontier_plot(panels: Mapping[str, tuple[Sequence[Place], bool]], name: str) -> str:
    """SVG of harmless rates against what they cost: by axis title the systems, and whether more of it is better.

    Every panel's better end is on the right, so that nothing should lie above and to the right of a good system. A line
    joins a method's unguided (hollow) and guided (filled) inference.
    """
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _figure(height_inches=4.2, panels=len(panels))
        for one, (title, (places, more_is_better)) in zip(axes, panels.items(), strict=True):
            for index, method in enumerate(dict.fromkeys(place.method for place in places)):
                color = _SERIES[index % len(_SERIES)]
                own = [place for place in places if place.method == method]
                prices, rates = [place.price for place in own], [100 * place.rate for place in own]
                marker, label = (
                    _MARKERS[(index + index // len(_SERIES)) % len(_MARKERS)],
                    method if one is axes[0] else None,
                )
                one.plot(prices, rates, color=color, linewidth=1.0)
                for place in own:
                    style = {"color": color, "markersize": 8, "label": label if place is own[-1] else None}
                    if not place.guided:
                        style["markerfacecolor"] = "none"
                    one.plot(place.price, 100 * place.rate, marker, **style)
            if not more_is_better:
                one.invert_xaxis()
            one.set_xlabel(title)
            one.grid()
        axes[0].set_ylabel("harmless rate, %")
        figure.legend(loc="outside right upper", handlelength=1.0)
        return _svg(figure, name)


def loss_plot(curves: dict[str, list[tuple[float, float]]], name: str) -> str:
    """SVG of training losses: (step, loss) points by method, in nats per trained token."""
    import matplotlib

    with matplotlib.rc_context(_SETTINGS):
        figure, axes = _figure(height_inches=3.4)
        for index, (method, points) in enumerate(curves.items()):
            steps, losses = zip(*points, strict=True)
            # The line style says the same as the colour, for those who do not see it, and in print.
            style = _STYLES[index % len(_STYLES)]
            marker = "o" if len(points) == 1 else None
            color = _SERIES[index % len(_SERIES)]
            axes.plot(steps, losses, style, marker=marker, color=color, linewidth=1.8, label=method)
        axes.set_xlabel("optimizer step")
        axes.set_ylabel("training loss")
        axes.margins(x=0.01)
        axes.grid(axis="y")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0, handlelength=2.6)
        return _svg(figure, name)


def _figure(height_inches: float, panels: int = 0) -> tuple[Any, Any]:
    """A figure and its axes: one, or a row of panels that share the vertical axis."""
    from matplotlib.figure import Figure

    # Without pyplot there is no backend, no display and no state shared between plots.
    figure = Figure(figsize=(8.4, height_inches), layout="constrained")
    if panels:
        return figure, figure.subplots(1, panels, sharey=True, squeeze=False)[0]
    axes = figure.subplots()
    axes.set_axisbelow(True)
    return figure, axes


def _svg(figure: Any, name: str) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None}, transparent=True)
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    # Both would hold for the whole page, and name foreign addresses.
    drawn = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r' xmlns(:xlink)?="[^"]*"', "", drawn, count=2)
    drawn = re.sub(r"font-family: [^;\"]*;", "", drawn)
    drawn = re.sub(r'(\bid="|url\(#|xlink:href="#)', rf"\g<1>{name}-", drawn).replace("xlink:href", "href")
    for color, page_color in _PAGE_COLORS.items():
        drawn = drawn.replace(f": {color}", f": {page_color}")
    return drawn.strip()
