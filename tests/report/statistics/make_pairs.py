"""Make `pairs.json` anew: what the package deepsig says of 50 pairs of learners, in half an hour on one core.

Run it as `python -m tests.report.statistics.make_pairs` where deepsig is installed (`make oracle`). Its bound is that
of drawn resamples, so that it differs by some 0.01 from one seed to the next; of bounds of 0 and 1 it needs few.
"""

import json
from pathlib import Path

import numpy as np

from chainrule.report.statistics import almost_stochastic_order

PATH = Path(__file__).parent / "pairs.json"
#: How many results both have, by how many standard deviations the first is better, and how far the second is spread.
SIZES, LEADS, SPREADS = ((5, 5), (10, 10), (5, 5), (5, 10), (5, 5)), (0, 0.5, 1, 2, 3), (1, 1, 0.5, 2)


def pairs():
    draws = np.random.default_rng(20)
    for number in range(50):
        n, m = SIZES[number % 5]
        first = 0.8 + 0.01 * draws.normal(LEADS[number // 5 % 5], 1, n)
        second = 0.8 + 0.01 * draws.normal(0, SPREADS[number % 4], m)
        yield first.round(4).tolist(), second.round(4).tolist()


def main():
    import deepsig

    found = []
    for seed, (first, second) in enumerate(pairs()):
        bound = almost_stochastic_order(first, second).bound
        resamples = 60 if bound in (0, 1) else 300 if bound < 0.02 else 2000
        step = 0.01 if len(second) == 5 else 0.005  # of deepsig's integrals
        told = deepsig.aso(first, second, seed=seed, show_progress=False, num_bootstrap_iterations=resamples, dt=step)
        found.append({"first": first, "second": second, "bound": round(float(told), 5)})
    PATH.write_text("[\n" + ",\n".join(json.dumps(pair) for pair in found) + "\n]\n")


if __name__ == "__main__":
    main()
