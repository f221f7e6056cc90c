"""Executors: where the chunks of a stage are worked on. Each is one class in a file of its own."""
