"""Training a pretrained model further: with the defaults it gets no worse."""

import keras
import numpy as np
import pytest

import zoo


@pytest.fixture(scope="module")
def framed():
    """(train, test) of the embedded digits in MNIST's size and framing, float32."""
    digits = (zoo.data.load("digits", split).pixels() for split in ("train", "test"))
    return tuple(zoo.data.resize(split, (28, 28, 1), margin=4 / 28) for split in digits)


def _ratio(model, train, test, epochs):
    """The error on `test` after training, relative to the one before."""
    keras.utils.set_random_seed(0)
    before = model.reconstruction_error(test).mean()
    model.fit(train, epochs=epochs, verbose=0)
    return model.reconstruction_error(test).mean() / before


@pytest.mark.parametrize(
    "name", ["mnist-feed-forward-64", "mnist-deep-feed-forward-8", "fashion-mnist-feed-forward-64"]
)
def test_it_learns_from_other_images(name, framed):
    assert 0.5 < _ratio(zoo.load(name), *framed, epochs=5) < 0.97  # Adam (1e-3) multiplies the first one's error by 8


def test_with_batch_normalization(framed):
    model = zoo.load("mnist-convolutional-16")
    model.compile(jit_compile="auto")
    normalizations = [w.numpy() for w in model.non_trainable_weights]
    assert _ratio(model, *framed, epochs=1) < 0.99  # 1.08 with a learning rate of 0, where the statistics follow
    assert all(np.array_equal(a, b) for a, b in zip(normalizations, model.non_trainable_weights, strict=True))


@pytest.mark.needs_dataset("mnist")
@pytest.mark.parametrize("name", ["mnist-feed-forward-64", "mnist-deep-feed-forward-16", "mnist-sparse-kl-500"])
def test_it_stays_good_on_its_own_images(name):
    train, test = zoo.data.load("mnist").part(0, 5000), zoo.data.load("mnist", "test")
    assert 0.9 < _ratio(zoo.load(name), train, test, epochs=1) < 1.003


def test_the_defaults_are_small_relative_steps_and_the_loss_of_the_card():
    model = zoo.load("mnist-feed-forward-8")
    model.compile()
    assert (type(model.optimizer), model.loss) == (keras.optimizers.Lamb, "binary_crossentropy")
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-5)


@pytest.mark.parametrize("explicit", [False, True])
def test_what_a_user_chooses_wins_and_new_models_keep_adam(explicit):
    model = zoo.load("mnist-feed-forward-8", weights=explicit)
    model.compile(*(("adam", "mse") if explicit else ()))
    assert (type(model.optimizer), model.loss) == (keras.optimizers.Adam, "mse")
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)


def test_a_loaded_model_may_be_trained_like_a_new_one(framed):
    model = zoo.load("mnist-denoising-affine-gaussian-64")
    model.pretrained_loss = None
    statistics = [w.numpy() for w in model.non_trainable_weights]
    model.compile(jit_compile="auto")
    model.fit(framed[0][:64], verbose=0)
    assert (type(model.optimizer), model.loss) == (keras.optimizers.Adam, "mse")
    assert not any(np.array_equal(a, b) for a, b in zip(statistics, model.non_trainable_weights, strict=True))


def test_a_denoiser_over_a_pretrained_model_is_pretrained():
    assert zoo.denoising(zoo.load("mnist-feed-forward-8"), zoo.corruption.Gaussian(0.1)).pretrained_loss is not None
    assert zoo.denoising(zoo.feed_forward((8, 8, 1), 4), zoo.corruption.Gaussian(0.1)).pretrained_loss is None


@pytest.mark.filterwarnings("ignore:Skipping variable loading")  # of an optimizer that has taken no step
@pytest.mark.parametrize("compiled", [False, True])
def test_a_keras_file_keeps_it(compiled, tmp_path):
    model = zoo.load("mnist-feed-forward-8")
    if compiled:
        model.compile("adam", "mae")
    model.save(tmp_path / "model.keras")
    again = zoo.load_model(tmp_path / "model.keras")
    assert (again.pretrained_loss, again.encoder.trained_on) == ("binary_crossentropy", "mnist")
    assert again.loss == "mae" if compiled else not again.compiled


@pytest.mark.parametrize("stated, used", [("mae", "mae"), ("a loss of my own", "mse"), (None, "mse")])
def test_models_of_a_user(stated, used, tmp_path):
    zoo.save(zoo.feed_forward((8, 8, 1), 4), tmp_path / "mine", recipe={"loss": stated} if stated else {})
    assert zoo.load(tmp_path / "mine").pretrained_loss == used
