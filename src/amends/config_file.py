"""The former place of `amends.config.load_configuration`, for scripts that import it from here."""

from amends.config.reading import load_configuration as load_configuration
