"""A model card says who chose the training data, and what that forbids."""

from typing import Any

from amends.evaluation.results import Results
from amends.reporting.model_card import Facts, model_card


def card(gate: str, **known: Any) -> str:
    results = Results(model="m", seed=0, systems=[], judges={"gate": known}) if known else None
    return model_card(
        Facts(
            model="embedded",
            method="sft",
            sets={},
            gate=gate,
            reminder=(),
            prefill="",
            has_system_prompt=False,
            form="adapter",
            results=results,
        )
    )


def test_a_gate_is_named_with_its_licence_and_without_a_path() -> None:
    assert "was chosen by probe/mine. probe/mine learnt in part from labels under CC-BY-NC-4.0" in card(
        "mine.safetensors", name="probe/mine", sources={"saferlhf": 9}
    )
    free = card("guard:/data/models/llama-guard", name="guard//data/models/llama-guard", sources={"own": 9})
    assert "was chosen by guard/llama-guard." in free and "CC-BY-NC" not in free


def test_without_results_a_gate_says_itself_what_it_learnt_from() -> None:
    assert "was chosen by probe/gate. probe/gate learnt in part from labels under CC-BY-NC-4.0" in card("gate")
    assert "was chosen by nobody-here." in card("nobody-here")
    assert "chosen by" not in card("")
