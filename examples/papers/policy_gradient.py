"""Policy gradients: REINFORCE with a baseline (Williams, 1992), on a walk that is rewarded at one end.

    π(a|s) = softmax(table[s]);   L = -mean Σ_t (R - baseline) ln π(a_t|s_t),   R: what the whole walk has earned

Its gradient is, on the average, that of the expected reward. All walks of a step are made inside the compiled step.
"""

import numpy as np

import chainrule
from chainrule import Key, Mutable, Parameter, assign, gather, random_uniform

PLACES, LENGTH = 5, 6  # walks begin in the middle; the right end gives a reward of 1 for each moment spent there


def train(steps=150, walks=32):
    table = Parameter(np.zeros((PLACES, 2)), name="table")  # for each place, the logits of left and right
    baseline = Mutable(np.zeros(()), name="baseline")
    optimizer = chainrule.Adam(0.1)
    state = optimizer.start([table])

    @chainrule.compile
    def step(key):
        place = chainrule.full(walks, PLACES // 2, "int64")
        reward, log_chance = 0, 0
        for moment in range(LENGTH):
            log_policy = gather(table, place).log_softmax()
            draw = random_uniform(key.at(moment), (walks,))
            action = (draw > log_policy[:, 0].exp()).astype("int64")  # 0 is left, 1 is right
            log_chance = log_chance + chainrule.take_along_axis(log_policy, action[:, None], 1).squeeze(1)
            place = (place + 2 * action - 1).clamp(0, PLACES - 1)
            reward = reward + chainrule.equal(place, PLACES - 1).astype("float32")
        loss = -((reward - baseline) * log_chance).mean()
        assign(baseline, 0.9 * baseline + 0.1 * reward.mean())
        optimizer.step([table], chainrule.gradients(loss, [table]), state)
        return reward.mean()

    rewards = [step(Key.of(seed=0, step=number)).item() for number in range(steps)]
    return {"rewards": rewards, "table": table.numpy(), "baseline": baseline.numpy()}


if __name__ == "__main__":
    run = train()
    print("reward of a walk: " + ", ".join(f"{reward:.2f}" for reward in run["rewards"][::25]))
    right = 1 / (1 + np.exp(run["table"][:, 0] - run["table"][:, 1]))
    print("chance of going right, place by place: " + " ".join(f"{chance:.2f}" for chance in right))
