"""The section `preference` of a configuration: what single trainers are told beside `train`, by their own settings."""

from typing import TYPE_CHECKING, Any

from pydantic import create_model

from amends.settings.gathered import Gathered, keys_of_all
from amends.training.trainers.base import TRAINERS

DOC = "What dpo and rlhf have beside `train`. Their learning rates are a tenth of fine-tuning's, as is usual for both."


class TrainersSettings(Gathered):
    """What single trainers have beside `train`."""

    @classmethod
    def brought(cls) -> dict[str, Any]:
        """The keys of all trainers. Raises InputError where two have one of the same name."""
        return keys_of_all("trainer", {name: trainer.settings for name, trainer in TRAINERS.items()})


if TYPE_CHECKING:

    class PreferenceSettings(TrainersSettings):
        """What single trainers have beside `train`."""
else:
    PreferenceSettings = create_model(
        "PreferenceSettings",
        __base__=TrainersSettings,
        __module__=__name__,
        __doc__=DOC,
        **TrainersSettings.brought(),
    )
