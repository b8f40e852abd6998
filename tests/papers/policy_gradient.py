"""Policy gradients in PyTorch, with the draws of the example."""

from chainrule import Key, random_uniform
from examples.papers.policy_gradient import LENGTH, PLACES
from tests.oracle import torch


def train(steps=150, walks=32):
    table = torch.zeros((PLACES, 2), requires_grad=True)
    baseline = torch.zeros(())
    optimizer = torch.optim.Adam([table], lr=0.1)
    rewards = []
    for step in range(steps):
        place = torch.full((walks,), PLACES // 2)
        reward, log_chance = 0, 0
        for moment in range(LENGTH):
            log_policy = table[place].log_softmax(dim=1)
            draw = torch.tensor(random_uniform(Key.of(seed=0, step=step).at(moment), (walks,)).numpy())
            action = (draw > log_policy[:, 0].exp()).long()
            log_chance = log_chance + log_policy.gather(1, action[:, None]).squeeze(1)
            place = (place + 2 * action - 1).clamp(0, PLACES - 1)
            reward = reward + (place == PLACES - 1).float()
        loss = -((reward - baseline) * log_chance).mean()
        baseline = 0.9 * baseline + 0.1 * reward.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rewards.append(reward.mean().item())
    return {"rewards": rewards, "table": table, "baseline": baseline}
