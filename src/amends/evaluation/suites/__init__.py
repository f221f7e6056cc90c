"""The kinds of suites: what is asked, how it is measured, and where it is shown."""
