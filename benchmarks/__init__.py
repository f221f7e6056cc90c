"""Throughput beside what people would use instead: `python -m benchmarks.generation`, `.training`, `.judging`, `.scale`."""
