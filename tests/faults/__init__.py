"""Faults on purpose: kills, signals, altered model folders and tables, odd expressions. `make faults` runs many."""
