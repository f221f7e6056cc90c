"""Tuning a classifier judge: its rows, its counterfactuals, its batches, its members, and the file that comes of it."""
