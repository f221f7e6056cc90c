"""The Python interface: the same names, refusals and numbers as the command line, over rows in memory or in files.

Every function takes rows as a file's name, a list of mappings or records, a `datasets.Dataset` or a pandas frame, and
models and judges by name or as `load_model` and `load_judge` give them. Settings are keyword arguments by their names
in a configuration, such as `attempts=4`. `progress=False`, or `amends.quiet()`, shows no progress.
"""
