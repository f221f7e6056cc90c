"""What the benchmarks share: alternation, medians and ratios, and the arithmetic limit measured in the same run."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

LIMIT_SHAPES = [(2048, 576, 1536), (2048, 1536, 576), (1024, 576, 49_152), (128, 576, 49_152)]
GPU_SHAPES = [(32_768, 576, 1536), (32_768, 1536, 576)]  # as many rows as its passes have


@dataclass
class Work:
    """What a contestant did in one turn: units that count (tokens, rows), floating-point operations that they need.

    `seconds`: where only a part of the turn counts.
    """

    units: int
    operations: float
    seconds: float | None = None


@dataclass
class Contestant:
    """One way to do the work; `run()` does it once. `seconds` and `works` collect its turns."""

    name: str
    run: Callable[[], Work]
    seconds: list[float] = field(default_factory=list)
    works: list[Work] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Units a second, turn by turn."""
        return [work.units / seconds for work, seconds in zip(self.works, self.seconds, strict=True)]


def arithmetic_limit(dtype: torch.dtype, device: str, seconds: float = 1.0) -> float:
    """The best rate of matrix products, in operations a second, over shapes that a small model has."""
    best = 0.0
    for rows, inner, columns in LIMIT_SHAPES + (GPU_SHAPES if device == "cuda" else []):
        left = torch.randn(rows, inner, dtype=dtype, device=device)
        right = torch.randn(columns, inner, dtype=dtype, device=device)
        queued = 32 if device == "cuda" else 1  # a GPU works through a queue; waiting for each would be measured too
        _products(left, right, 1)
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            _products(left, right, queued)
            count += queued
        best = max(best, 2.0 * rows * inner * columns * count / (time.perf_counter() - began))
    return best


def _products(left: torch.Tensor, right: torch.Tensor, count: int) -> None:
    for _ in range(count):
        torch.nn.functional.linear(left, right)
    if left.is_cuda:
        torch.cuda.synchronize()


def alternate(contestants: list[Contestant], turns: int, dtype: torch.dtype, device: str, unit: str) -> dict[str, Any]:
    """Lets the contestants take turns (A B A B ...), after one turn each that does not count.

    Returns medians, each one's ratio to the first (median over the turns), and the share of the arithmetic limit, which
    is measured before every round.
    """
    limits = []
    for turn in range(turns + 1):
        limit = arithmetic_limit(dtype, device, 0.3)
        for one in contestants:
            began = time.perf_counter()
            work = one.run()
            seconds = time.perf_counter() - began
            if turn:
                one.seconds.append(work.seconds or seconds)
                one.works.append(work)
        if turn:
            limits.append(limit)
            rates = ", ".join(f"{one.name} {one.rates[-1]:.0f}" for one in contestants)
            print(f"turn {turn}: {rates} {unit}/s; limit {limit / 1e9:.0f} GFLOP/s", file=sys.stderr, flush=True)
    first = contestants[0]
    rows = []
    for one in contestants:
        ratios = [mine / other for mine, other in zip(first.rates, one.rates, strict=True)]
        shares = [
            work.operations / seconds / limit
            for work, seconds, limit in zip(one.works, one.seconds, limits, strict=True)
        ]
        rows.append(
            {
                "name": one.name,
                f"{unit}_per_second": round(statistics.median(one.rates), 1),
                "first_is_faster_by": round(statistics.median(ratios), 2),
                "share_of_limit": round(statistics.median(shares), 3),
                "turns": [round(rate, 1) for rate in one.rates],
            }
        )
    return {"unit": unit, "limit_gflops": round(statistics.median(limits) / 1e9, 1), "contestants": rows}


def model_operations(model: Any) -> tuple[float, float]:
    """Operations that one token needs in the layers, and in the output layer: two for each weight of a product."""
    head = model.get_output_embeddings().weight
    tied = model.get_input_embeddings().weight
    layers = sum(weight.numel() for weight in model.parameters() if weight.dim() == 2)
    layers -= head.numel() + (0 if tied is head else tied.numel())
    return 2.0 * layers, 2.0 * head.numel()


def options(description: str, add: Callable[[argparse.ArgumentParser], object]) -> argparse.Namespace:
    """Command-line options: --turns, --json, and what `add` adds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--turns", type=int, default=5, help="turns of each that count (5)")
    add(parser)
    return parser.parse_args()


def show(result: dict[str, Any], as_json: bool) -> None:
    """The table, or JSON."""
    if as_json:
        print(json.dumps(result, indent=2))
        return
    unit = result["unit"]
    print(f"{'':<44}{unit + '/s':>12}{'ratio':>8}{'of limit':>10}")
    for row in result["contestants"]:
        rate, ratio = row[f"{unit}_per_second"], row["first_is_faster_by"]
        loss = f"   mean loss {row['mean_loss']:.4f}" if "mean_loss" in row else ""
        peak = f"   {row['peak_gigabytes']:.1f} GB" if "peak_gigabytes" in row else ""
        print(f"{row['name']:<44}{rate:>12.1f}{ratio:>8.2f}{row['share_of_limit']:>10.0%}{loss}{peak}")
    print(f"limit: {result['limit_gflops']} GFLOP/s; ratio: how many times as fast the first is")
