def section(ranking): return None
