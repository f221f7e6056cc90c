"""The page of a run, from its finished files."""
