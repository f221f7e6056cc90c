"""Words of any script, refusals, reasoning and normalised prompts."""
