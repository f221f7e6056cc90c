"""What was measured: statistics, results, tables."""
