"""Images find what is said of them, sentences their images; muscles are told from the image alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from abaw_jax.labels import ACTION_UNITS
from abaw_jax.nn.backbones.clip import CLIP, Config, Tower
from abaw_jax.tasks.contrast import ContrastTask, ImageText, contrast_loss, is_same
from abaw_jax.tasks.task import Task
from tests.encoders.tiny_shapes import drawn

END, LENGTH = 9, 4


def make_task(dtype=jnp.float32) -> ContrastTask:
    tower = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    vision = Tower(**tower, image_size=8, patch_size=4)
    text = Tower(**tower, vocab_size=END + 1, max_position_embeddings=LENGTH, eos_token_id=END)
    network = CLIP(Config(vision, text, projection_dim=12), dtype)
    return ContrastTask(ImageText(network, lambda images: images.astype(jnp.float32) / 128 - 1), au_share=4.0)


class Given(ImageText):
    """Vectors as they are asked for: by an image's first number, by a sentence's first word."""

    def __call__(self, images, ids):
        image, text = (jnp.eye(8)[wanted] for wanted in (images[:, 0, 0, 0], ids[:, 0]))
        return {"image": image, "text": text, "au": jnp.zeros((len(ids), 12)), "logit_scale": jnp.zeros(())}


def sentences(*words: tuple[int, ...]) -> np.ndarray:
    """Ids, each sentence with its end."""
    ids = np.full((len(words), LENGTH), END, np.int32)
    for row, said in enumerate(words):
        ids[row, : len(said)] = said
    return ids


def make_batch(rows: int = 6) -> dict[str, jax.Array]:
    """The first two kinds of sentence differ, the third is one for all; the last face is covered."""
    rng = np.random.default_rng(0)
    kinds = (
        sentences(*((1 + row, 1) for row in range(rows))),
        sentences(*((1 + row, 2) for row in range(rows))),
        sentences(*((8,),) * rows),
    )
    batch = {
        "image": rng.integers(0, 256, (rows, 8, 8, 3)).astype(np.uint8),
        "text": np.stack(kinds, axis=1),
        "au": rng.random((rows, 12)).astype(np.float32),
        "au_mask": np.arange(rows) < rows - 1,
        "is_real": np.ones(rows, bool),
    }
    return jax.tree.map(jnp.asarray, batch)


@pytest.fixture(scope="module")
def task() -> ContrastTask:
    return make_task()


@pytest.fixture(scope="module")
def variables(task: ContrastTask):
    return drawn(task.init, make_batch())


def by_definition(image: np.ndarray, text: np.ndarray, ids: np.ndarray, scale: float) -> float:
    """Word by word, in float64: the mean over all that fits of how surprising it is, from either side."""
    image, text = (np.asarray(x, np.float64) for x in (image, text))
    image, text = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (image, text))
    logits, total = scale * image @ text.T, 0.0
    for table in (logits, logits.T):
        for row in range(len(ids)):
            surprise = np.log(np.exp(table[row] - table[row].max()).sum()) + table[row].max() - table[row]
            fits = [other for other in range(len(ids)) if (ids[other] == ids[row]).all()]
            total += surprise[fits].mean() / len(ids) / 2
    return total


def vectors(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple(jnp.asarray(rng.normal(0, 3, (rows, 7)), jnp.float32) for _ in range(2))


@pytest.mark.parametrize(
    "words",
    [((1,), (2,), (3,), (4,), (5,)), ((1,), (2,), (1,), (1,), (2,)), ((1,), (1, 1), (1,), (3,), (4,))],
    ids=["all differ", "two said", "one said twice"],
)
@pytest.mark.parametrize("scale", [1.0, 14.3, 100.0])
def test_the_loss_is_its_definition(words, scale: float):
    (image, text), ids = vectors(5), sentences(*words)
    found = contrast_loss(image, text, is_same(jnp.asarray(ids)), jnp.float32(scale))
    np.testing.assert_allclose(found, by_definition(image, text, ids, scale), rtol=1e-5)


def test_images_and_sentences_may_change_places():
    (image, text), ids = vectors(5), sentences((1,), (2,), (1,), (3,), (3,))
    same, scale = is_same(jnp.asarray(ids)), jnp.float32(10)
    there, back = contrast_loss(image, text, same, scale), contrast_loss(text, image, same, scale)
    np.testing.assert_allclose(there, back, rtol=1e-6)


def test_where_all_differ_everyone_is_its_own_answer():
    image, text = vectors(5)
    found = contrast_loss(image, text, jnp.eye(5, dtype=bool), jnp.float32(10))
    assert (is_same(jnp.asarray(sentences((1,), (2,), (1, 2), (), (3,)))) == np.eye(5, dtype=bool)).all()
    image, text = (x / jnp.linalg.norm(x, axis=1, keepdims=True) for x in (image, text))
    logits, labels = 10 * image @ text.T, np.arange(5)
    wanted = [optax.softmax_cross_entropy_with_integer_labels(x, labels).mean() for x in (logits, logits.T)]
    np.testing.assert_allclose(found, np.mean(wanted), rtol=1e-5)


def test_cosines_are_told_apart_in_float32_whatever_the_network_computes_in():
    image, text = (jnp.asarray(x, jnp.bfloat16) for x in vectors(5))
    same, scale = jnp.eye(5, dtype=bool), jnp.float32(100)
    found = contrast_loss(image, text, same, scale)
    wanted = contrast_loss(image.astype(jnp.float32), text.astype(jnp.float32), same, scale)
    assert found.dtype == jnp.float32
    np.testing.assert_array_equal(found, wanted)


def test_a_vector_of_nothing_has_a_gradient():
    image, text = vectors(3)
    image = image.at[1].set(0)
    grad = jax.grad(contrast_loss)(image, text, jnp.eye(3, dtype=bool), jnp.float32(9))
    assert np.isfinite(grad).all()


def test_it_is_a_task_whose_example_is_a_batch_of_one(task: ContrastTask):
    assert isinstance(task, Task)
    example, batch = task.example(), make_batch()
    shapes = jax.eval_shape(task.init, jax.random.key(0), example)
    assert shapes == jax.eval_shape(task.init, jax.random.key(0), batch)
    assert example["image"].dtype == batch["image"].dtype and example["text"].dtype == batch["text"].dtype


def test_muscles_of_covered_faces_do_not_matter(task: ContrastTask, variables, measure):
    batch, rng = make_batch(), jax.random.key(0)
    (loss, shown), grads = measure(variables, batch, rng)
    hidden = {**batch, "au": jnp.where(batch["au_mask"][:, None], batch["au"], 1e6)}
    (again, _), others = measure(variables, hidden, rng)
    assert loss == again
    jax.tree.map(np.testing.assert_array_equal, grads, others)
    told = jax.jit(task.model.apply)(variables, batch["image"], batch["text"][:, 0])["au"]
    np.testing.assert_allclose(shown["loss/au"], np.square(told - batch["au"])[:-1].mean(), rtol=1e-5)
    np.testing.assert_allclose(loss, shown["loss/contrast"] + 4 * shown["loss/au"], rtol=1e-6)


def test_where_every_face_is_covered_muscles_cost_nothing(variables, measure):
    batch = {**make_batch(), "au_mask": jnp.zeros(6, bool)}
    assert measure(variables, batch, jax.random.key(0))[0][1]["loss/au"] == 0


def test_every_kind_of_sentence_is_drawn_for_every_image():
    seen, batch = [], make_batch()

    class Listens(Given):
        def __call__(self, images, ids):
            seen.append(np.asarray(ids))
            return super().__call__(images, ids)

    task = ContrastTask(Listens(make_task().model.network, lambda x: x), 1.0)
    for step in range(12):
        task.loss({}, batch, jax.random.fold_in(jax.random.key(0), step))
    kinds = np.stack([(ids[:, None] == batch["text"]).all(axis=-1).argmax(axis=1) for ids in seen])
    assert all(set(kinds[:, row]) == {0, 1, 2} for row in range(6))
    assert len(set(kinds[0])) > 1, "one kind for the whole batch would make every image a positive"


def test_the_scale_is_held_below_a_hundred(variables, measure):
    for logit, scale in ((2.0, np.exp(2)), (9.0, 100)):
        network = {**variables["params"]["network"], "logit_scale": jnp.float32(logit)}
        params = {"params": {**variables["params"], "network": network}}
        (_, shown), grads = measure(params, make_batch(), jax.random.key(0))
        np.testing.assert_allclose(shown["scale"], scale, rtol=1e-5)
        assert (grads["params"]["network"]["logit_scale"] == 0) == (scale == 100)


def test_rows_that_only_fill_up_a_batch_are_not_scored(variables, predict):
    batch = make_batch()
    order = jnp.array([0, 1, 2, 3, 3, 3])  # as a loader fills up
    wanted = predict(variables, {**batch, "is_real": jnp.arange(6) < 4, "au_mask": jnp.ones(6, bool)})
    filled = {key: jnp.where(_rows(value) < 4, value, value[order]) for key, value in batch.items()}
    found = predict(variables, {**filled, "is_real": jnp.arange(6) < 4, "au_mask": jnp.ones(6, bool)})
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-5, err_msg=name)
    assert (wanted["images"], wanted["n"]) == (4, 4)


def _rows(value: jax.Array) -> jax.Array:
    return jnp.arange(len(value)).reshape(-1, *[1] * (value.ndim - 1))


def test_a_sentence_is_found_where_its_image_is_the_nearest_of_those_of_which_another_is_said():
    task = ContrastTask(Given(make_task().model.network, lambda x: x), 1.0)
    batch = make_batch(4)
    batch["image"] = batch["image"].at[:, 0, 0, 0].set(jnp.array((1, 2, 3, 3), jnp.uint8))
    batch["text"] = jnp.repeat(jnp.asarray(sentences((1,), (3,), (3,), (3,)))[:, None], 3, axis=1)
    # the second looks like what is said of nobody; the last two are each other's likes
    assert task.predict({}, batch)["hits"] == 3


def test_scores_are_of_all_muscles_and_of_each(task: ContrastTask):
    sums = {"n": 4.0, "sum": np.full(12, 2.0), "squares": np.full(12, 2.0), "error": np.linspace(0, 1.1, 12)}
    scores = task.scores(sums | {"hits": 3, "images": 4})
    assert scores["found"] == 0.75
    assert list(scores["units"]) == list(ACTION_UNITS)
    np.testing.assert_allclose(list(scores["units"].values()), 1 - np.linspace(0, 1.1, 12))
    np.testing.assert_allclose(scores[task.score], 1 - 0.55)


def test_a_few_pairs_are_learnt_by_heart(task: ContrastTask, variables, measure, predict):
    batch, optimizer = make_batch(), optax.adam(1e-2)

    @jax.jit
    def step(grads, state, params):
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state

    params, state = variables, optimizer.init(variables)
    for number in range(400):
        _, grads = measure(params, batch, jax.random.fold_in(jax.random.key(1), number))
        params, state = step(grads, state, params)
    scores = task.scores({k: np.asarray(v) for k, v in predict(params, batch).items()})
    assert scores["found"] == 1
    assert scores["r2"] > 0.9
