"""Judges of responses: the bundled probe, language models, guard models; and how far judges agree."""
