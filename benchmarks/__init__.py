"""Benchmarks: programs that print their tables with the machine they ran on. Run them alone on the machine."""
