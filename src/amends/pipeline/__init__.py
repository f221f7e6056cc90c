"""Runs, experiments and studies: which step comes when, and what is kept of it."""
