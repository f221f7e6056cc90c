"""A loss in which some tokens count more often than others: each as often as a column of weights beside it says."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from amends.training.micro_batches import Inputs
from amends.training.tokenize import NO_LOSS


def weighing_tokens(kind: type[Any]) -> type[Any]:
    """A trainer of that kind, of TRL's, for rows with `weights` [tokens]: a token counts as so many of it would.

    So the loss that gives the gradient is the mean of the step's tokens by weight, however they are cut into pieces.
    What is logged stays the plain mean, in nats per token: curves can be compared whatever their weights.
    TRL has no weights of tokens; its `compute_loss` adds up the log-probabilities that the model's output has.
    """

    class WeighingTokens(kind):  # type: ignore[misc]  # the libraries have no types
        data_collator: Any
        _signature_columns: Any

        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            collate = self.data_collator

            def with_weights(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
                weights = [torch.tensor(row["weights"]) for row in rows]
                return collate(rows) | {"weights": pad_sequence(weights, batch_first=True)}

            self.data_collator = with_weights

        def _set_signature_columns_if_needed(self) -> None:
            super()._set_signature_columns_if_needed()
            self._signature_columns = [*dict.fromkeys([*self._signature_columns, "weights"])]

        def _get_num_items_in_batch(self, batch_samples: Sequence[Inputs], device: torch.device) -> Any:
            """The tokens of a step, which all its batches have; notes how often one of them counts on average."""
            targets = [batch["labels"][:, 1:] != NO_LOSS for batch in batch_samples]
            weights = [batch["weights"][:, 1:][mask] for batch, mask in zip(batch_samples, targets, strict=True)]
            self._mean_weight = float(torch.cat(weights).mean()) if weights else 1.0
            return super()._get_num_items_in_batch(batch_samples, device)

        def compute_loss(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Any:
            weights = inputs.pop("weights")[:, 1:] / self._mean_weight

            def weighing(**asked: Any) -> Any:
                outputs = model(**asked)
                plain = outputs.log_probs.detach().sum()
                outputs.log_probs = outputs.log_probs * weights
                weighed = outputs.log_probs.detach().sum().clamp(max=-1e-12)  # of a model that is sure both are 0
                self._to_plain = plain / weighed
                return outputs

            return super().compute_loss(weighing, inputs, *rest, **named)

        def training_step(self, *args: Any, **named: Any) -> Any:
            return super().training_step(*args, **named) * self._to_plain

    return WeighingTokens
