"""amends: make a language model safer from its own mistakes."""

__version__ = "0.1.0"
