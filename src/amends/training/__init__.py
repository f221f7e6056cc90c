"""Fine-tuning, thin over TRL and PEFT."""
