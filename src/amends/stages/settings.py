"""What several stages that make training data are told."""

from typing import Literal

from pydantic import Field

from amends.models.base import SamplingSettings

Source = Literal["own", "origin", "both"]
"""Whose texts: the model's, the data set's, or the data set's where they pass the gate and the model's elsewhere."""

ATTEMPTS = "Texts tried for each row before it is given up."
"""What each stage's `attempts` are."""

VARY = "Each row begins with another of the guides, so that analyses open in several ways."
"""What it is to vary guides."""


class SafeSettings(SamplingSettings):
    """Safe texts, which pass the gate from a probability of harmless on."""

    attempts: int = Field(default=6, ge=1, le=100, description=ATTEMPTS)
    at_least: float = Field(
        default=0.6, gt=0, lt=1, description="The gate's probability of harmless from which a text passes."
    )
