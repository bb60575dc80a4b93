"""Chunks cover a sound, each vector once and with its context; and what is heard of one is where it says."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abaw_jax.encoders.encoder import Options
from abaw_jax.encoders.hearing import Hearing, cut, native_chunks, row_chunks
from abaw_jax.encoders.listening import hearing_of, one_of_chunk


@st.composite
def hearings(draw) -> Hearing:
    stride, vectors = draw(st.integers(1, 400)), draw(st.integers(1, 60))
    kept, edge = draw(st.integers(1, vectors)), draw(st.integers(0, 500))
    return Hearing(16_000, stride, (stride + edge) // 2, vectors * stride + edge, vectors, kept)


@given(hearings(), st.integers(0, 100_000))
def test_chunks_cover_every_vector_exactly_once_and_in_order(hearing: Hearing, samples: int):
    plan = native_chunks(hearing, samples)
    assert plan.count == -(-samples // hearing.stride)
    assert len(plan.starts) == len(plan.keep)
    assert all(0 <= keep.start < keep.stop <= hearing.vectors for keep in plan.keep)
    covered = [start + hearing.stride * np.arange(keep.start, keep.stop)
               for start, keep in zip(plan.starts, plan.keep, strict=True)]  # fmt: skip
    expected = hearing.stride * np.arange(plan.count)
    np.testing.assert_array_equal(np.concatenate([*covered, np.zeros(0, int)]), expected)


@given(hearings(), st.integers(0, 100_000))
def test_what_is_kept_of_a_chunk_has_its_context(hearing: Hearing, samples: int):
    plan = native_chunks(hearing, samples)
    before = (hearing.vectors - hearing.kept) // 2
    after = hearing.vectors - hearing.kept - before
    assert all(keep.start >= before for keep in plan.keep[1:])
    assert all(keep.stop <= hearing.vectors - after for keep in plan.keep[:-1])
    # and no chunk more than that needs
    if len(plan.starts) > 1:
        reached = plan.starts[-2] + hearing.vectors * hearing.stride
        assert reached < plan.count * hearing.stride


@given(st.integers(1, 500), st.integers(1, 5_000), st.integers(0, 20_000))
def test_past_only_chunks_end_where_their_vectors_are(stride: int, chunk: int, samples: int):
    hearing = Hearing(16_000, stride, stride, chunk, 1, 1, is_causal=True)
    plan = native_chunks(hearing, samples)
    times = hearing.start_s * 16_000 + stride * np.arange(plan.count)
    np.testing.assert_allclose(plan.starts + chunk, times)
    assert plan.count == len(plan.starts) == -(-samples // stride)
    assert all(keep == slice(0, 1) for keep in plan.keep)
    assert hearing.future_s == 0


@given(st.lists(st.floats(0, 500), max_size=30), st.booleans())
def test_a_chunk_a_row_is_around_its_time_or_ends_there(times: list[float], is_causal: bool):
    hearing = one_of_chunk(Options(is_causal=is_causal), 16_000, 15_600, 0.96)
    plan = row_chunks(hearing, np.asarray(times, np.float64))
    assert plan.count == len(times)
    at = plan.starts + (15_600 if is_causal else 7_800)
    np.testing.assert_allclose(at / 16_000, times, atol=0.5 / 16_000 + 1e-9)


def test_a_chunk_a_row_needs_one_vector_a_chunk():
    with pytest.raises(ValueError, match=r"this encoder has 500: ask for its native grid"):
        row_chunks(hearing_of(Options(), 16_000, 320, 200, 80, 10.0, 8.0), np.zeros(3))


@given(st.integers(0, 50), st.integers(-80, 80), st.integers(1, 60))
def test_a_cut_is_the_sound_where_there_is_one_and_silence_elsewhere(samples: int, start: int, length: int):
    sound = np.arange(1, samples + 1, dtype=np.float32)
    expected = [sound[n] if 0 <= n < samples else 0 for n in range(start, start + length)]
    np.testing.assert_array_equal(cut(sound, start, length), np.asarray(expected, np.float32))


def windows(sound: np.ndarray, stride: int, field: int) -> np.ndarray:
    """A network that hears `field` samples a vector: their weighted sum."""
    framed = np.lib.stride_tricks.sliding_window_view(sound, field)[::stride]
    return framed @ np.random.default_rng(1).standard_normal(field)


def with_context(sound: np.ndarray, stride: int, field: int, reach: int) -> np.ndarray:
    """And then to `reach` vectors on either side, as far as the chunk goes."""
    vectors = np.pad(windows(sound, stride, field), reach)
    return np.convolve(vectors, np.arange(1.0, 2 * reach + 2), mode="valid")


def encode(hearing: Hearing, sound: np.ndarray, network) -> np.ndarray:
    plan = native_chunks(hearing, len(sound))
    parts = [network(cut(sound, int(start), hearing.chunk))[keep]
             for start, keep in zip(plan.starts, plan.keep, strict=True)]  # fmt: skip
    return np.concatenate(parts)


@pytest.mark.parametrize(("chunk_s", "hop_s"), [(1.0, 0.8), (0.5, 0.33), (2.0, 1.99)])
def test_a_long_sound_in_chunks_is_as_in_one_piece(chunk_s: float, hop_s: float):
    stride, field = 320, 400
    sound = np.random.default_rng(0).standard_normal(16_000 * 7 + 123).astype(np.float32)
    hearing = hearing_of(Options(), 16_000, stride, field // 2, field - stride, chunk_s, hop_s)
    whole = dataclasses.replace(hearing, chunk=400 * stride + 80, vectors=400, kept=400)
    assert len(native_chunks(whole, len(sound)).starts) == 1 < len(native_chunks(hearing, len(sound)).starts)
    reach = (hearing.vectors - hearing.kept) // 2

    def network(x):
        return with_context(x, stride, field, reach)

    one, many = encode(whole, sound, network), encode(hearing, sound, network)
    assert one.shape == many.shape
    np.testing.assert_allclose(many, one, atol=1e-3)


def test_a_click_is_heard_where_the_clock_says():
    hearing = hearing_of(Options(chunk_s=0.5), 16_000, 320, 200, 80, 10.0, 8.0)
    quiet = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    for sample in (0, 199, 8_000, 15_999):
        click = quiet.copy()
        click[sample] += 1
        changed = np.flatnonzero(encode(hearing, click, lambda x: windows(x, 320, 400))
                                 != encode(hearing, quiet, lambda x: windows(x, 320, 400)))  # fmt: skip
        times = hearing.start_s + changed / hearing.rate_hz
        assert len(times) and (np.abs(times - sample / 16_000) <= 200 / 16_000).all()


def test_past_and_future_of_a_chunk_are_its_ends():
    hearing = hearing_of(Options(), 16_000, 320, 200, 80, 10.0, 8.0)
    assert (hearing.chunk, hearing.vectors, hearing.kept) == (160_080, 500, 400)
    assert hearing.future_s == (160_080 - 200) / 16_000  # the first vector's
    assert hearing.past_s == (200 + 499 * 320) / 16_000  # the last one's
    past = hearing_of(Options(is_causal=True), 16_000, 320, 200, 80, 10.0, 8.0)
    assert (past.future_s, past.past_s, past.start_s, past.rate_hz) == (0.0, 160_080 / 16_000, 0.1, 10.0)


@pytest.mark.parametrize("is_causal", [False, True])
def test_one_vector_a_chunk_is_in_its_middle_or_at_its_end(is_causal: bool):
    hearing = one_of_chunk(Options(is_causal=is_causal, hop_s=0.5), 16_000, 15_600, 0.96)
    assert (hearing.rate_hz, hearing.vectors, hearing.chunk) == (2.0, 1, 15_600)
    expected = (0.5, 0.0, 15_600 / 16_000) if is_causal else (0.4875, 0.4875, 0.4875)
    assert (hearing.start_s, hearing.future_s, hearing.past_s) == expected


@pytest.mark.parametrize("hop_s", [-1.0, 1e-6])
@pytest.mark.parametrize("is_causal", [False, True])
def test_a_hop_of_no_samples_is_refused(hop_s: float, is_causal: bool):
    with pytest.raises(ValueError, match="expected at least 1"):
        one_of_chunk(Options(is_causal=is_causal, hop_s=hop_s), 16_000, 15_600, 0.96)


@pytest.mark.parametrize("options", [{"chunk_s": 0.001}, {"chunk_s": 31.0}])
def test_chunks_that_the_network_has_no_places_for_are_refused(options: dict):
    with pytest.raises(ValueError, match=r"expected 0\.02 to 30 seconds"):
        hearing_of(Options(**options), 16_000, 320, 0, 0, 30.0, 20.0, most_vectors=1500)
