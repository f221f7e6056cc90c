"""Models that generate: local (transformers), behind an OpenAI-compatible endpoint, scripted (tests of stage logic)."""
