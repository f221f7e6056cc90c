"""`amends doctor`: looks at this machine, and at what a configuration needs of it, before anything is spent."""
