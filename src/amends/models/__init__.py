"""Models that generate: local (transformers) and scripted (tests of stage logic)."""
