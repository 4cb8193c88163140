"""Chapter 03's exercises: right, right otherwise, wrong in typical ways, and the stub."""

import keras
import numpy as np
import pytest
from exercises import assignments, source_notebook
from keras import layers, ops

from gan_keras.errors import UserError
from gan_keras.metrics.distribution import frechet_distance
from gan_keras.teaching.exercises import NotYet, check, exercises, ladder

SOLUTIONS = {
    cell.metadata["nbgrader"]["grade_id"].split("-")[0].replace("_", "."): cell.source
    for script in assignments()
    for cell in source_notebook(script).cells
    if cell.metadata["nbgrader"]["solution"]
}
SEEDS = ("1", "20", "333")


def solution(number):
    """Run the solution's cell, and return the last function that it defines."""
    names = {"np": np, "keras": keras, "layers": layers}
    before = set(names)
    exec(SOLUTIONS[number], names)
    made = [name for name in names if name not in before and not name.startswith("__")]
    return names[made[-1]]


# Right, written another way


def adam_in_full(gradient, learning_rate):
    m, v = 0.5 * gradient, 0.001 * gradient**2
    return -learning_rate * (m / 0.5) / (np.sqrt(v / 0.001) + 1e-7)


def one_layer(start, end):
    return [(end // start, end // start)]


def batch_with_fakes_first(real_images, generator, latent_dim):
    noise = np.random.default_rng(3).standard_normal((len(real_images), latent_dim))
    fake = ops.convert_to_numpy(generator(noise, training=True))
    labels = np.array([[0.0]] * len(fake) + [[1.0]] * len(real_images))
    return np.concatenate([fake, real_images]), labels


def generator_with(
    activation="tanh", kernel=4, last_norm=False, deviation=0.02, norms=True, bias=False, ups=3
):
    """Return a builder of colour generators with one thing changed."""

    def build(latent_dim, base_filters):
        def up(filters, bias):
            return layers.Conv2DTranspose(
                filters, kernel, 2, "same", use_bias=bias, kernel_initializer=init()
            )

        def init():
            return keras.initializers.RandomNormal(0, deviation)

        model = keras.Sequential([keras.Input((latent_dim,))])
        model.add(layers.Dense(64 * base_filters, use_bias=bias, kernel_initializer=init()))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        model.add(layers.Reshape((4, 4, 4 * base_filters)))
        for filters in [2 * base_filters, base_filters][: ups - 1]:
            model.add(up(filters, bias))
            if norms:
                model.add(layers.BatchNormalization())
            model.add(layers.Activation("relu"))
        model.add(up(3, True))
        if last_norm:
            model.add(layers.BatchNormalization())
        model.add(layers.Activation(activation))
        return model

    return build


def two_sizes(a, b):
    """Eliminate the bias between N and N/2: 2·d(N) − d(N/2), the halves averaged."""
    draw, n = np.random.default_rng(5), len(a)
    halves = []
    for _ in range(20):
        i, j = draw.permutation(n)[: n // 2], draw.permutation(n)[: n // 2]
        halves.append(frechet_distance(a[i], b[j]))
    return 2 * frechet_distance(a, b) - np.mean(halves)


OTHERWISE = {
    "03.1": adam_in_full,
    "03.2": one_layer,
    "03.3": batch_with_fakes_first,
    "03.4": generator_with(),
    "03.5": two_sizes,
}


# Wrong in typical ways, and what the message must say


def fixed_noise(real_images, generator, latent_dim):
    fake = generator(np.random.default_rng(0).normal(size=(256, latent_dim)), training=True)
    labels = np.repeat([1.0, 0.0], [len(real_images), 256])
    return np.concatenate([real_images, fake]), labels


def inference_mode(real_images, generator, latent_dim):
    count = len(real_images)
    fake = generator(np.random.default_rng(0).normal(size=(count, latent_dim)))
    return np.concatenate([real_images, fake]), np.repeat([1.0, 0.0], count)


def swapped_labels(real_images, generator, latent_dim):
    images, labels = solution("03.3")(real_images, generator, latent_dim)
    return images, 1 - labels


def one_noise_for_all(real_images, generator, latent_dim):
    count = len(real_images)
    noise = np.tile(np.random.default_rng(0).normal(size=(1, latent_dim)), (count, 1))
    fake = generator(noise, training=True)
    return np.concatenate([real_images, fake]), np.repeat([1.0, 0.0], count)


def against_the_square_root(a, b):
    draw, n = np.random.default_rng(0), len(a)
    sizes = np.array([n // 8, n // 4, n // 2, n])
    means = [
        np.mean([frechet_distance(*(x[draw.permutation(n)[:size]] for x in (a, b)))
                 for _ in range(6)]) for size in sizes
    ]  # fmt: skip
    return np.polyfit(sizes**-0.5, means, 1)[1]


WRONG = [
    ("03.1", lambda g, rate: -rate * g, r"gradient descent.*own size"),
    ("03.1", lambda g, rate: rate * np.sign(g), r"wrong direction"),
    ("03.1", lambda g, rate: -rate * 0.5 / np.sqrt(0.001) * np.sign(g), r"bias correction"),
    ("03.1", lambda g, rate: -rate * (1 if g >= 0 else -1), r"exactly 0 moves nothing"),
    ("03.2", lambda start, end: [(4, 2)] * 3, r"56: count the doublings"),
    ("03.2", lambda start, end: [(5, 2), (5, 2)], r"overlap alternates.*checkerboard"),
    ("03.2", lambda start, end: [(4, 2), (4, 2)], r"reach \d+, not \d+"),
    ("03.2", lambda start, end: [(1, 2), (4, 2)], r"without any stamp"),
    ("03.3", fixed_noise, r"256 generated ones.*last batch"),
    ("03.3", inference_mode, r"running statistics.*training=True"),
    ("03.3", swapped_labels, r"swapped"),
    ("03.3", one_noise_for_all, r"one latent an image"),
    ("03.4", generator_with(activation="sigmoid"), r"below 0.*tanh"),
    ("03.4", generator_with(activation="linear"), r"\[-1, 1\], so tanh"),
    ("03.4", generator_with(kernel=5), r"checkerboard"),
    ("03.4", generator_with(last_norm=True), r"on the output"),
    ("03.4", generator_with(deviation=0.05), r"N\(0, 0.02\)"),
    ("03.4", generator_with(norms=False), r"after each but the last"),
    ("03.4", generator_with(bias=True), r"use_bias=False"),
    ("03.4", generator_with(ups=2), r"4·2·2·2 = 32"),
    ("03.5", frechet_distance, r"still the biased"),
    ("03.5", lambda a, b: frechet_distance(a[:300], b[:300]), r"above the plain distance"),
    ("03.5", against_the_square_root, r"straight in 1/N"),
    ("03.5", lambda a, b: frechet_distance(*(np.random.permutation(x)[:600] for x in (a, b))),
     r"seed your random choices"),
]  # fmt: skip

GRADED = [exercise.number for exercise in exercises("03") if exercise.inspect]


@pytest.mark.parametrize("number", GRADED)
def test_the_solution_passes_with_any_seed(number, monkeypatch, capsys):
    answer = solution(number)
    check(number, answer)
    for seed in SEEDS:
        monkeypatch.setenv("GRADING_SEED", seed)
        check(number, answer, hidden=True)
    assert capsys.readouterr().out.count("passed") == 1 + len(SEEDS)


@pytest.mark.parametrize("number", GRADED)
def test_right_answers_written_another_way_pass(number, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", "7")
    for hidden in (False, True):
        check(number, OTHERWISE[number], hidden)


@pytest.mark.parametrize(("number", "answer", "message"), WRONG)
def test_typical_wrong_answers_get_the_message_that_helps(number, answer, message, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", "11")
    with pytest.raises(NotYet, match=rf"(?s)^{number}: .*{message}.*\(chapter 03 §"):
        check(number, answer)
    with pytest.raises(NotYet):
        check(number, answer, hidden=True)


def test_each_exercise_has_two_wrong_answers_or_more():
    numbers = [number for number, _, _ in WRONG]
    assert all(numbers.count(number) >= 2 for number in GRADED)


@pytest.mark.parametrize("number", GRADED)
def test_the_stub_says_that_it_is_the_stub(number):
    def stub(*_):
        raise NotImplementedError("your answer goes here")

    with pytest.raises(NotYet, match=rf"{number}: this is still the stub"):
        check(number, stub)


def test_code_that_raises_is_quoted_and_shown_without_a_traceback():
    with pytest.raises(NotYet, match=r"your code raised KeyError: 'x'") as caught:
        check("03.1", lambda g, rate: {}["x"])
    assert caught.value._render_traceback_() == [f"not yet: {caught.value}"]


def test_hidden_inputs_are_others_than_the_visible_and_need_a_seed(monkeypatch):
    monkeypatch.delenv("GRADING_SEED", raising=False)
    with pytest.raises(UserError, match="GRADING_SEED"):
        check("03.1", adam_in_full, hidden=True)
    seen = {}
    for seed in (None, "1", "2"):
        asked = []

        def spy(gradient, rate, asked=asked):
            asked.append((gradient, rate))
            return adam_in_full(gradient, rate)

        if seed:
            monkeypatch.setenv("GRADING_SEED", seed)
        check("03.1", spy, hidden=bool(seed))
        seen[seed] = asked
    assert seen[None] != seen["1"] != seen["2"]


def test_numbers_that_nobody_checks_are_refused():
    with pytest.raises(UserError, match=r"no exercise 03\.9: there are 03\.1"):
        check("03.9", None)
    with pytest.raises(UserError, match="★"):
        check("03.6", None)
    with pytest.raises(UserError, match="chapter 09"):
        check("09.1", None)


def test_the_ladder_lists_points_and_minutes():
    text = repr(ladder("03"))
    assert all(exercise.title in text for exercise in exercises("03"))
    assert 4 <= len(exercises("03")) <= 6
    points = {e.number: e.points for e in exercises("03")}
    script = next(script for script in assignments() if script.stem == "03_dcgan")
    for cell in source_notebook(script).cells:
        about = cell.metadata["nbgrader"]
        if about["grade"]:
            assert about["points"] == points[about["grade_id"].split("-")[0].replace("_", ".")]
