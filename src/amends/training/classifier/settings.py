"""What the tuning of a classifier is told."""

from pydantic import Field

from amends.settings import Settings


class ClassifierSettings(Settings):
    """Tuning a classifier judge. The defaults suit the embedded model of 30 layers, on a CPU.

    Its members begin alike and see the rows in orders of their own. Their weights are averaged, as in model soups
    (Wortsman et al. 2022, arXiv 2203.05482), since several passes would be slower than the probe.
    """

    model: str = Field(
        default="embedded", description="The model to tune: `embedded`, a directory or a hub id of a Llama-like one."
    )
    layers: int = Field(
        default=24,
        ge=1,
        description="Layers that are read; those above cost nothing. 24 take 1.33 times the probe's 18.",
    )
    rank: int = Field(default=8, ge=1, description="The adapter's rank; the file's size goes with it.")
    alpha: int = Field(default=16, ge=1, description="The adapter's alpha: its weight is alpha by rank.")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Of the adapter's inputs. On a CPU it costs a third of the time."
    )
    target_modules: str | list[str] = Field(
        default="all-linear", description="The layers that get an adapter, or a list of names: `[q_proj, v_proj]`."
    )
    members: int = Field(default=3, ge=1, description="Trainings whose weights are averaged, where that is better.")
    learning_rate: float = Field(default=3e-4, gt=0, description="Of adapter and head.")
    epochs: float = Field(default=1.0, gt=0, description="Passes of each member over the rows.")
    max_steps: int | None = Field(default=None, ge=1, description="Instead of epochs: steps of each member.")
    batch_size: int = Field(default=16, ge=1, description="Answers or pairs of answers an optimizer step.")
    token_budget: int = Field(
        default=2048, ge=1, description="Padded tokens at once; steps are cut into pieces, and stay what they are."
    )
    pair_weight: float = Field(
        default=1.0, ge=0, description="Of the pairwise loss on two answers to one prompt, beside cross-entropy."
    )
    counterfactuals: float = Field(
        default=0.25,
        ge=0,
        le=1,
        description="Share of rows that come again with a refusal put before them or taken away, both labels alike.",
    )
    warmup_share: float = Field(
        default=0.05, ge=0, lt=1, description="The share of the steps in which the learning rate rises."
    )
    save_steps: int = Field(default=50, ge=1, description="Steps between checkpoints.")
