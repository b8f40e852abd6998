"""What a rank does in `test_machines.py`: steps of a small network; it prints losses, and where its table lies."""

import json
import sys
from contextlib import nullcontext

import numpy as np

import chainrule
from chainrule import nn
from chainrule.engines import engine_named
from chainrule.xla import mesh
from chainrule.xla.ranks import Place, together

STEPS = 100


def losses(rule=None):
    """Of the steps, and on how many devices the table lies, in how many parts.

    Rows that a step does not read are left behind; the default rule needs no more than one compiled step for that.
    """
    generator = np.random.default_rng(0)
    bag, output = nn.EmbeddingBag(60, 10, generator=generator), nn.Linear(10, 3, generator=generator)
    parameters = [*bag.parameters(), *output.parameters()]
    optimizer = chainrule.SGD(0.05, momentum=0.9) if rule is None else rule
    state = optimizer.start(parameters)

    def step(ids, offsets, classes):
        loss = nn.cross_entropy(output(chainrule.tanh(bag(ids, offsets))), classes)
        optimizer.step(parameters, chainrule.gradients(loss, parameters), state)
        return loss

    compiled = engine_named("xla").compile(step, sizes=[None, None, None])
    offsets = np.arange(0, 16 * 5 + 1, 5)
    batches = [(generator.integers(0, 60, 80), offsets, generator.integers(0, 3, 16)) for _ in range(STEPS)]
    found = [compiled(*batch) for batch in batches]
    table = bag.table.held.array
    devices, parts = (
        len(table.sharding.device_set),
        len({str(x) for x in table.sharding.devices_indices_map(table.shape).values()}),
    )
    return {
        "losses": [x.item() for x in found],
        "devices": devices,
        "parts": parts,
        "sum": float(bag.table.numpy().sum()),
    }


def main(coordinator, rank, ranks, adam=""):
    """As one of the ranks, or alone."""
    mesh.LARGE = 500  # so that a small table is cut
    place = Place(coordinator, int(rank), int(ranks))
    with together(place) if place.ranks > 1 else nullcontext():
        sys.stdout.write(json.dumps(losses(chainrule.Adam(1e-3) if adam else None)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
