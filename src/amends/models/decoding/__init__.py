"""How a local model's answers are decoded: batches, slots, sampling."""
