"""What a run made of its model: where each method's training lies, or what serves it, and the model with it."""

from pathlib import Path

from amends.config.methods import Method
from amends.config.plan import Plan
from amends.models.base import Model
from amends.models.hf import LocalModel
from amends.storage.run_directory import RunDirectory


class Systems:
    """The model of a plan as each method made it; their trainings lie in `files`. None loads before it is asked."""

    def __init__(self, plan: Plan, files: RunDirectory) -> None:
        self.plan, self.files = plan, files

    def trained(self, method: Method) -> Path:
        """The directory of a method's adapter or model, where it is trained here."""
        return self.files.trained(method.name, full=self.plan.configuration.train.adapter == "full")

    def system(self, method: Method) -> Model:
        """The model as a method made it; of a method that trains nothing the model itself."""
        if not method.kinds:
            return self.plan.base
        if served := self.plan.systems.get(method.name):
            return served
        configuration, trained = self.plan.configuration, self.trained(method)
        if configuration.train.adapter == "full":
            return LocalModel(str(trained), system_prompt=configuration.system_prompt)
        return LocalModel(configuration.model, adapter=trained, system_prompt=configuration.system_prompt)
