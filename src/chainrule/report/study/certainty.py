from dataclasses import dataclass
import statistics
@dataclass
class I:
    low: float; high: float; deviation: float
def interval(values):
    if len(values) < 2: return None
    s = statistics.stdev(values); m = statistics.mean(values)
    return I(m - s, m + s, s)
