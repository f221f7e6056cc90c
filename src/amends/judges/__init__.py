"""Judges of single responses: the bundled probe, and the refusal detector as a diagnostic."""
