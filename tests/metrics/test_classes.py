"""What is measured class by class."""

import math

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch import Tensor

from pipeline.metrics.classes import Classes, class_distance, inception_score, told_apart
from pipeline.metrics.frechet import frechet_distance, real_moments
from pipeline.metrics.manifold import manifold_metrics, real_manifold

WIDTH, KINDS = 6, 4


def drawn(count: int, seed: int, kinds: int = KINDS) -> tuple[Tensor, Tensor]:
    """Gaussian classes, far apart."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(kinds, (count,), generator=generator)
    return torch.randn(count, WIDTH, generator=generator) + 8 * torch.eye(WIDTH)[labels], labels


@pytest.fixture(scope="module")
def classes() -> Classes:
    return told_apart(*drawn(800, 0), *drawn(400, 1))


def test_the_discriminant_is_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(KINDS, (500,), generator=generator)
    training = torch.randn(500, WIDTH, generator=generator) + 1.5 * torch.eye(WIDTH)[labels]  # they overlap
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.0).fit(training.numpy(), labels.numpy())
    found = told_apart(training, labels, training, labels).probabilities(training)
    assert np.abs(found.numpy() - reference.predict_proba(training.numpy())).max() < 5e-3


def test_class_fid_is_the_mean_of_the_classes_distances(classes: Classes) -> None:
    (real, real_labels), (fakes, labels) = drawn(400, 1), drawn(300, 2)
    each = [frechet_distance(real_moments(real[real_labels == k]), fakes[labels == k]) for k in range(KINDS)]
    assert class_distance(classes, fakes) == pytest.approx(sum(each) / KINDS, rel=1e-9)


def test_a_class_that_is_missing_or_collapsed_costs(classes: Classes) -> None:
    fakes, labels = drawn(600, 3)
    collapsed = torch.where((labels == 1)[:, None], fakes[labels == 1][:1], fakes)
    assert class_distance(classes, fakes[labels != 1]) > 20 * class_distance(classes, fakes)
    assert class_distance(classes, collapsed) > 5 * class_distance(classes, fakes)


def test_inception_score_is_its_definition(classes: Classes) -> None:
    fakes, labels = drawn(4000, 4)
    assert inception_score(classes, fakes) == pytest.approx(KINDS, rel=0.02)  # sure of each, all alike
    assert inception_score(classes, fakes[labels == 2]) == pytest.approx(1.0, abs=0.01)
    p = classes.probabilities(0.2 * fakes).numpy()
    expected = np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(0))), 1)))
    assert inception_score(classes, 0.2 * fakes) == pytest.approx(float(expected), rel=1e-9)


def test_the_worst_class_is_the_one_that_is_covered_least() -> None:
    real, labels = drawn(400, 6)
    fakes, theirs = drawn(400, 7)
    some = torch.where((theirs == 3)[:, None], fakes[theirs == 3][:1], fakes)
    found = manifold_metrics(real_manifold(real, labels), some)
    by_hand = manifold_metrics(real_manifold(real), some)
    assert found.items() >= by_hand.items()
    assert found["worst_class_coverage"] < 0.2 < 0.7 < found["coverage"]
    small = torch.where(torch.arange(400) < 9, 5, labels)  # nine of a class say nothing of it
    assert manifold_metrics(real_manifold(real, small), fakes)["worst_class_coverage"] > 0.5


def test_what_is_not_finite_is_nan(classes: Classes) -> None:
    fakes, _ = drawn(30, 8)
    fakes[3, 2] = math.inf
    assert math.isnan(class_distance(classes, fakes))
    assert math.isnan(inception_score(classes, fakes))


def test_features_that_are_constant_or_copies_of_each_other_are_told_apart() -> None:
    training, labels = drawn(200, 9)
    training = torch.cat([training, training[:, :2], torch.ones(200, 1)], 1)
    found = told_apart(training, labels, training, labels)
    assert float((found.probabilities(training).argmax(1) == labels).double().mean()) > 0.98
