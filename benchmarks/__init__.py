"""Throughput beside what people use instead: `python -m benchmarks.generation`, `.training`, `.judging`, `.scale`."""
