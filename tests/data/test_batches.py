from functools import partial

import pytest
import torch

from pipeline.data.batches import Batches, Domain, How, to_float, to_uint8
from pipeline.data.kinds import images as images_of

CPU = torch.device("cpu")


def make(count: int = 10, batch_size: int = 4) -> Batches:
    return Batches({"real": Domain(torch.arange(2.0 * count).view(count, 2), torch.arange(count))}, CPU, batch_size)


def drawn(batches: Batches, generator: torch.Generator, count: int) -> list[int]:
    found: list[int] = []
    for _ in range(count):
        batch = batches.next(generator)
        real, labels = batch["real"], batch["label"]
        assert torch.equal(real[:, 0], labels * 2.0)
        found += labels.tolist()
    return found


@pytest.mark.parametrize(("count", "size"), [(10, 4), (10, 5), (10, 25), (7, 3)])
def test_every_sample_once_an_epoch(count: int, size: int) -> None:
    found = drawn(make(count, size), torch.Generator().manual_seed(0), count)
    assert len(found) == count * size
    epochs = [found[at : at + count] for at in range(0, len(found), count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_the_order_is_the_generators() -> None:
    first, same, other = (drawn(make(), torch.Generator().manual_seed(seed), 9) for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5])
def test_goes_on_to_the_bit(steps: int) -> None:
    batches, generator = make(), torch.Generator().manual_seed(3)
    drawn(batches, generator, steps)
    state, random = batches.state(), generator.get_state()
    expected = drawn(batches, generator, 12)
    again, resumed = make(), torch.Generator()
    again.load(state)
    resumed.set_state(random)
    assert drawn(again, resumed, 12) == expected


def test_a_state_of_other_data_is_refused() -> None:
    batches = make(10)
    batches.next(torch.Generator())
    with pytest.raises(ValueError, match="10 samples, the data has 12"):
        make(12).load(batches.state())


def test_images_are_scaled_and_laid_out() -> None:
    images = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8).expand(4, 3, 8, 8)
    batch = Batches(
        {"real": Domain(images)}, CPU, 4, How(partial(images_of.laid_out, memory_format=torch.channels_last))
    ).next(torch.Generator())
    assert batch.keys() == {"real"}
    real = batch["real"]
    assert (real.dtype, float(real.min()), float(real.max())) == (torch.float32, -1.0, 1.0)
    assert real.is_contiguous(memory_format=torch.channels_last)


def test_uint8_and_float_are_inverse() -> None:
    values = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_uint8(to_float(values)), values)
    assert to_uint8(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


def test_drawing_leaves_the_data_alone() -> None:
    images = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)
    before = images.clone()
    Batches({"real": Domain(images)}, CPU, 4).next(torch.Generator())
    assert torch.equal(images, before)


def test_mirrored_images_are_turned_half_of_the_time_each_on_its_own() -> None:
    images = torch.arange(4.0).repeat(1000, 1, 4, 1)
    turned = images.flip(3)
    batches = Batches({"real": Domain(images)}, CPU, 500, How(mirrored=True))
    seen = torch.cat([batches.next(torch.Generator().manual_seed(at))["real"] for at in range(2)])
    flipped = (seen == turned).flatten(1).all(1)
    assert bool((flipped | (seen == images).flatten(1).all(1)).all())
    assert 0.4 < float(flipped.float().mean()) < 0.6
    again = Batches({"real": Domain(images)}, CPU, 500, How(mirrored=True))
    assert torch.equal(again.next(torch.Generator().manual_seed(0))["real"], seen[:500])
