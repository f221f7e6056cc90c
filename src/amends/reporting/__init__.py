"""Tables, wording, plots, the page, what a notebook shows.

It is not called `report`: Python would bind that name of `amends` to a package, and `amends.report` is a function.
"""
