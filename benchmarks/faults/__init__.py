"""Campaigns of faults: what is killed, starved, fed with nonsense or changed on purpose, and what became of it."""
