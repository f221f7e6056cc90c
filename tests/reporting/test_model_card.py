"""A model card says who chose the training data, and what that forbids."""

from amends.reporting.model_card import Facts, model_card


def card(gate: dict[str, object]) -> str:
    asked = {"reminder": (), "prefill": "", "has_system_prompt": False, "form": "adapter", "results": None}
    return model_card(Facts(model="embedded", method="sft", sets={}, gate=gate, **asked))  # type: ignore[arg-type]


def test_a_gate_is_named_with_its_licence_and_without_a_path() -> None:
    assert "was chosen by probe/mine. probe/mine learnt in part from labels under CC-BY-NC-4.0" in card(
        {"name": "probe/mine", "sources": {"saferlhf": 9}}
    )
    free = card({"name": "guard//data/models/llama-guard", "sources": {"own": 9}})
    assert "was chosen by guard/llama-guard." in free and "CC-BY-NC" not in free
    assert "chosen by" not in card({})
