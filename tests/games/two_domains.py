"""A game between two domains of points, each carried into the other, and the data it is played on: all that the
protocol has to carry for games to come. a is a blob at (-1, 0), b one at (1, 0)."""

import torch
from torch import nn

from pipeline.data.trees import mapped
from pipeline.games.game import Group, Losses, Plain

CENTRES = {"a": (-1.0, 0.0), "b": (1.0, 0.0)}


def blobs(resolution):
    """1,000 points of each domain."""
    drawn = {name: torch.randn(1000, 2, generator=torch.Generator().manual_seed(at)) for at, name in enumerate("ab")}
    return {name: 0.1 * drawn[name] + torch.tensor(centre) for name, centre in CENTRES.items()}


class Named(nn.ModuleDict):
    """Called with the name of the one that is meant."""

    def forward(self, name, *given):
        return self[name](*given)


class Growing(nn.Module):
    """A shift, and a second stage which is there from the start and fades in over the first half of the budget."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x, faded):
        moved = x + self.first(x)
        return moved + faded * self.second(moved)


class Carry(Plain):
    """Two generators, two discriminators; the cycle is a lazy term of the generators' side, whose running mean is a
    state of that side."""

    protocol = 2
    stackable = True
    references = {"to_a": "a", "to_b": "b"}

    def __init__(self, spec, data, seed):
        assert {name: domain.shape for name, domain in data.domains.items()} == {"a": (2,), "b": (2,)}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator = Named({"to_a": Growing(), "to_b": Growing()})
            judges = {name: nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)) for name in "ab"}
            self.discriminator = Named(judges)

    def inputs(self, count, randomness, batch):
        return {name: batch[name][:count] for name in "ab"}  # at an evaluation too

    def generate(self, generator, inputs, draw):
        faded = min(draw.progress.share / 0.5, 1.0)
        noise = {name: 0.01 * torch.randn(x.shape, generator=draw.randomness) for name, x in inputs.items()}
        fed = {name: x + noise[name] for name, x in inputs.items()}
        return {"to_a": generator("to_a", fed["b"], faded), "to_b": generator("to_b", fed["a"], faded)}

    def discriminator_loss(self, discriminator, turn):
        constant, terms, judged = mapped(torch.detach, turn.fake), {}, {}
        for name in "ab":
            real = discriminator(name, turn.batch[name]).squeeze(1)
            fake = discriminator(name, constant[f"to_{name}"]).squeeze(1)
            terms[f"adversarial_{name}"] = (1 - real).relu() + (1 + fake).relu()
            judged[name] = real, fake
        return Losses(terms, judged)

    def generator_loss(self, generator, discriminator, turn):
        terms = {f"adversarial_{name}": -discriminator(name, turn.fake[f"to_{name}"]).squeeze(1) for name in "ab"}
        if "cycle" in turn.due:
            back = generator("to_a", turn.fake["to_b"], min(turn.progress.share / 0.5, 1.0))
            terms["cycle"] = turn.due["cycle"] * (back - turn.inputs["a"]).abs().mean(1)
        return Losses(terms, measurements={"cycles": turn.auxiliary["generator"]["cycle"]["count"]})

    def intervals(self, side):
        return {"cycle": 3} if side == "generator" else {}

    def auxiliary(self, side, device):
        return {"cycle": {"count": torch.zeros((), device=device)}} if side == "generator" else {}

    def advance(self, side, losses, turn):
        if side == "discriminator":
            return {}
        return {"cycle": {"count": turn.auxiliary[side]["cycle"]["count"] + ("cycle" in losses.terms)}}

    def groups(self, side):
        if side == "discriminator":
            return super().groups(side)
        firsts = [p for each in self.generator.values() for p in each.first.parameters()]
        seconds = [p for each in self.generator.values() for p in each.second.parameters()]
        return {"first": Group(firsts), "second": Group(seconds, factor=0.5)}

    @torch.no_grad()
    def constrain(self, side, parameters):
        for parameter in parameters if side == "discriminator" else []:
            parameter.clamp_(-0.5, 0.5)
