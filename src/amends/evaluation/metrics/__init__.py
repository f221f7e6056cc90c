"""The metrics of the results: one object each, and how rates, scores and losses are estimated and compared."""
