"""Bad input in a sweep's file: one line that names file and key, what was found and what would be valid."""

import pytest

from pipeline.errors import InputError
from pipeline.space.load import load
from tests.space.test_load import SPACE

CASES = [
    # what to replace, by what, the line
    ("optimiser:", "optimizer:", 'unknown key "optimizer", did you mean "optimiser"? (valid: '),
    ("lr_g: {log", "lr_gen: {log", 'optimiser.lr_gen: unknown key "lr_gen", did you mean "lr_g"? (valid: '),
    (
        "r1: {r1: {weight: {log",
        "r1: {r1: {wieght: {log",
        'regularisers.r1.wieght: unknown key "wieght", did you mean "weight"? (valid: interval, weight) '
        "(with regularisers: r1)",
    ),
    ("lazy: {r1", "lazy: {r3", 'regularisers.r3: unknown key "r3", did you mean "r2"? (valid: consistency, dragan,'),
    (
        "name: digits",
        "name: digits, size: 8",
        'data.size: unknown key "size", (valid: limit, low, mirror, name, paired, resolution)',
    ),
    ("name: digits", "name: digit", 'data.name: found "digit", did you mean "digits"? (valid: digits, mnist, '),
    ("name: digits", "name: {choice: [digits, mnist]}", "data.name: found a distribution; valid: one value, trials"),
    ("images: 300000", "images: {int: [1, 9]}", "budget.images: found a distribution; valid: one value, trials"),
    ("images: 300000", "images: 0", "budget.images: found 0; valid: greater than 0"),
    ("images: 300000", "images: 300k", 'budget.images: found "300k"; valid: an integer'),
    ("budget: {images: 300000}\n", "", "budget: missing; it must be given"),
    ("every: 15000", "every: 400000", "evaluation.every: found 400000; "),
    ("objective: fid", "objective: fd", 'objective: found "fd", did you mean "fid"? (valid: fid, precision, '),
    ("objective: fid\n", "", "objective: missing; it must be given"),
    (
        "trials: 16",
        "trials: 16, sampler: tp",
        'search.sampler: found "tp", did you mean "tpe"? (valid: tpe, random, gp, cmaes, auto)',
    ),
    ("trials: 16", "trials: 0", "search.trials: found 0; valid: greater than or equal to 1"),
    ("trials: 16", "trails: 16", 'search.trails: unknown key "trails", did you mean "trials"? (valid: '),
    ("trials: 16", "trials: {int: [1, 3]}", "search.trials: found {int: [1, 3]}; valid: an integer"),
    ("search: {trials: 16}", "search: 16", "search: found 16; valid: a mapping of audit, concurrency, experience, "),
    (
        "network: dcgan, width: 32",
        "network: dcgn, width: 32",
        'discriminator.network: found "dcgn", did you mean "dcgan"?',
    ),
    ("network: dcgan, width: 32", "width: 32", "discriminator.network: missing; it must be given"),
    ("width: 32, norm", "width: wide, norm", 'discriminator.width: found "wide"; valid: an integer'),
    ("width: 32, norm", "width: 32.5, norm", "discriminator.width: found 32.5; valid: an integer"),
    (
        "width: 32, norm",
        "width: 32, depth: 3, norm",
        "discriminator.depth: found 3; a resolution of 8 cannot be halved 3",
    ),
    (
        "width: 32, norm",
        "width: 32, depth: {int: [1, 3]}, norm",
        "discriminator.depth: found 3; a resolution of 8 cannot be halved 3 times down to 2 x 2 or more, valid: 1, 2 "
        "(searched: an integer from 1 to 3)",
    ),
    ("choice: [batch, none]", "choice: [batch, nome]", 'generator.norm: found "nome", did you mean "none"? (valid: '),
    ("choice: [batch, none]", "choice: []", "generator.norm: found an empty choice; valid: at least one option"),
    ("choice: [16, 32]", "uniform: [16, 32]", "generator.width: found 16.0; valid: an integer (searched: 16 to 32)"),
    (
        "choice: [16, 32]",
        "categorical: [16, 32]",
        'generator.width: found "categorical: [16, 32]", (valid: uniform, log, ',
    ),
    ("{log: [1e-5, 1e-2]}", "{lgo: [1e-5, 1e-2]}", 'optimiser.lr_g: found "lgo: [1e-05, 0.01]", did you mean "log"?'),
    (
        "{log: [1e-5, 1e-2]}",
        "{log: [1e-5, 1e-2], base: 2}",
        "optimiser.lr_g: found {log: [1e-05, 0.01], base: 2}; valid: ",
    ),
    ("{log: [1e-5, 1e-2]}", "{log: [1e-2, 1e-5]}", "optimiser.lr_g: found log: [0.01, 1e-05]; valid: a low end less"),
    ("{log: [1e-5, 1e-2]}", "{log: [0, 1e-2]}", "optimiser.lr_g: found log: [0, 0.01]; valid: a low end above 0"),
    (
        "{log: [1e-5, 1e-2]}",
        "{log: [1e-5, 2]}",
        "optimiser.lr_g: found 2.0; valid: less than or equal to 1 (searched: 1e-05 to 2 (log))",
    ),
    ("about: a small one", "about: [a]", "about: found [a]; valid: a line of text"),
    ("about: a small one", "health: {colapsed: {patience: 1}}", 'health: unknown key "colapsed"'),
    (
        "about: a small one",
        "health: {flat_output: {patience: 0}}",
        "health.flat_output.patience: found 0; valid: greater",
    ),
    (
        "about: a small one",
        "health: {flat_output: {patiense: 1}}",
        'health.flat_output.patiense: unknown key "patiense", did',
    ),
    ("about: a small one", "rungs: {reduction: 1}", "rungs.reduction: found 1; valid: greater than 1"),
    ("about: a small one", "latent:", "latent: found null; valid: a mapping of distribution, size"),
    (
        "about: a small one",
        "game: hinge",
        'game: found "hinge"; valid: a mapping of condition, growth, ',
    ),
    ("about: a small one", "data: {name: mnist}", 'line 3: found the key "data" twice; valid: once'),
    ("optimiser.lr_g: 2e-4", "optimiser.lr_g: 2", "known_good[0]: optimiser.lr_g: found 2; valid: 1e-05 to 0.01 (log)"),
    (
        "optimiser.lr_g: 2e-4",
        "optimiser.lrg: 2e-4",
        'known_good[0]: unknown key "optimiser.lrg", did you mean "optimiser.lr_g"?',
    ),
    (", optimiser.lr_g: 2e-4", "", "known_good[0]: lacks optimiser.lr_g; valid: a value for each searched parameter"),
    (
        "regularisers: none, opt",
        "regularisers: nope, opt",
        'known_good[1]: regularisers: found "nope"; valid: none, r1, lazy',
    ),
    ("known_good:\n", "known_good: 3\nx:\n", 'unknown key "x"'),
]


def refusal(tmp_path, text: str, *overrides: str) -> str:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load(str(path), overrides)
    line = str(error.value)
    assert "\n" not in line
    return line.removeprefix(str(tmp_path) + "/")


@pytest.mark.parametrize(("there", "instead", "line"), CASES, ids=[f"{a} -> {b}".strip() for a, b, _ in CASES])
def test_a_wrong_file(tmp_path, there, instead, line):
    assert there in SPACE
    assert refusal(tmp_path, SPACE.replace(there, instead, 1)).startswith(f"x.yaml: {line}")


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("optimiser.lr_q=1", 'x.yaml: optimiser.lr_q: unknown key "lr_q", did you mean "lr_g"? (valid: '),
        ("foo=1", 'x.yaml: unknown key "foo", (valid: about, known_good, objective, '),
        ("optimiser.lr_g", '--set optimiser.lr_g: found "optimiser.lr_g"; valid: KEY=VALUE with a dotted key'),
        ("=3", '--set =3: found "=3"; valid: KEY=VALUE with a dotted key'),
        ("optimiser..lr_g=1", '--set optimiser..lr_g=1: found "optimiser..lr_g=1"; valid: KEY=VALUE with a dotted key'),
        ("optimiser.lr_g=[", "--set optimiser.lr_g=[: line 1: is not YAML: "),
        ("optimiser[x].lr_g=1", "--set optimiser[x].lr_g=1: found [x] after optimiser, which is no choice"),
        ("regularisers=r3", '--set regularisers=r3: found the option "r3", did you mean "r1"? (valid: none, r1, lazy)'),
        ("regularisers[r3].r1={}", '--set regularisers[r3].r1={}: found the option "r3", did you mean "r1"?'),
        (
            "regularisers.wgan_gp.weight=1",
            "--set regularisers.wgan_gp.weight=1: no option has wgan_gp.weight (none: {}; ",
        ),
        ("optimiser.lr_g={log: [1, 2, 3]}", "x.yaml: optimiser.lr_g: found log: [1, 2, 3]; valid: log: [low, high]"),
        ("optimiser.lr_g.x=3", "x.yaml: optimiser.lr_g: found {log: [1e-05, 0.01], x: 3}; valid: log alone"),
    ],
)
def test_a_wrong_override(tmp_path, setting, line):
    assert refusal(tmp_path, SPACE, setting).startswith(line)


def test_a_preset_that_is_not_there():
    with pytest.raises(InputError) as error:
        load("digit")
    assert str(error.value).startswith(
        'digit: found neither a file nor a preset of this name, did you mean "digits"? (valid: '
    )


def test_a_keyword_that_search_does_not_have_is_the_callers_mistake():
    with pytest.raises(TypeError, match="search has no trails"):
        load("digits", trails=3)
