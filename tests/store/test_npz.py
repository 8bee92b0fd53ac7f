from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from trt_core.domain.tensors import TensorSpec
from trt_core.errors import InvalidData
from trt_core.store.npz import batches, random_feeds, read_data

IMAGE = TensorSpec(name="image", dtype="float32", shape=("batch", 3, 4))


def image(samples: int = 6) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((samples, 3, 4)).astype(np.float32)


def written(path: Path, *, compressed: bool = True, **arrays: np.ndarray) -> Path:
    (np.savez_compressed if compressed else np.savez)(path / "data.npz", **arrays)
    return path / "data.npz"


def refused(path: Path, *inputs: TensorSpec) -> str:
    with pytest.raises(InvalidData) as caught:
        read_data(path, inputs or None)
    assert caught.value.remedy
    return str(caught.value)


def rezipped(path: Path, content: bytes, name: str = "image.npy") -> Path:
    with zipfile.ZipFile(path / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return path / "data.npz"


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize("compressed", [True, False])
def test_data_that_fit_are_described(compressed: bool, tmp_path: Path):
    facts = read_data(written(tmp_path, compressed=compressed, image=image()), [IMAGE])

    assert facts.samples == 6
    assert facts.arrays == (TensorSpec(name="image", dtype="float32", shape=(6, 3, 4)),)
    assert facts.size_bytes == 6 * 12 * 4
    assert facts.findings == ()


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(("batch", "sizes"), [(1, [1] * 6), (4, [4, 2]), (6, [6]), (100, [6])])
def test_batches_give_every_sample_once_in_order(compressed: bool, batch: int, sizes: list[int], tmp_path: Path):
    labels = np.arange(6)
    given = list(batches(written(tmp_path, compressed=compressed, image=image(), labels=labels), batch=batch))

    assert [len(item["image"]) for item in given] == sizes
    np.testing.assert_array_equal(np.concatenate([item["image"] for item in given]), image())
    np.testing.assert_array_equal(np.concatenate([item["labels"] for item in given]), labels)
    given[0]["image"][:] = 0  # callers may write into what they get


def test_a_limit_ends_the_batches(tmp_path: Path):
    assert [len(item["image"]) for item in batches(written(tmp_path, image=image()), batch=2, limit=3)] == [2, 1]


def test_big_endian_data_come_out_native(tmp_path: Path):
    path = written(tmp_path, image=image().astype(">f4"))
    read_data(path, [IMAGE])

    array = next(batches(path, batch=6))["image"]

    assert array.dtype.isnative
    np.testing.assert_array_equal(array, image())


def test_objects_are_refused_and_never_unpickled(tmp_path: Path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "data.npz", image=np.array([Trap(), Trap()], dtype=object))

    assert "Python objects" in refused(tmp_path / "data.npz")
    with pytest.raises(InvalidData):
        next(batches(tmp_path / "data.npz"))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "array", [np.array(["a", "b"]), np.zeros(2, "datetime64[s]"), np.zeros(2, [("a", "f4")]), np.zeros(2, complex)]
)
def test_other_dtypes_than_numbers_are_refused(array: np.ndarray, tmp_path: Path):
    assert "has the dtype" in refused(written(tmp_path, image=array))


def test_wrong_names_are_listed_with_the_right_ones(tmp_path: Path):
    assert "'img', 'extra'; the model's inputs are 'image'" in refused(
        written(tmp_path, img=image(), extra=image()), IMAGE
    )


def test_another_dtype_says_how_to_cast(tmp_path: Path):
    message = refused(written(tmp_path, image=image().astype(np.float64)), IMAGE)

    assert "is float64; the model's input is float32. Save it as array.astype('float32')." in message


@pytest.mark.parametrize("shape", [(6, 3, 5), (6, 12), (6, 3, 4, 1), (6,)])
def test_another_sample_shape_is_refused(shape: tuple[int, ...], tmp_path: Path):
    assert "the model's input is batch × 3 × 4" in refused(written(tmp_path, image=np.zeros(shape, np.float32)), IMAGE)


def test_one_symbol_has_one_size(tmp_path: Path):
    inputs = [TensorSpec(name=name, dtype="int64", shape=("batch", "length")) for name in ("ids", "mask")]
    path = written(tmp_path, ids=np.zeros((2, 7), int), mask=np.zeros((2, 8), int))

    assert "'length' is 7 in 'ids' and 8 in 'mask'" in refused(path, *inputs)


def test_a_fixed_batch_needs_a_multiple_of_samples(tmp_path: Path):
    fixed = TensorSpec(name="image", dtype="float32", shape=(4, 3, 4))

    assert "takes 4 at a time" in refused(written(tmp_path, image=image(6)), fixed)
    assert read_data(written(tmp_path, image=image(8)), [fixed]).samples == 8


def test_nan_is_refused_with_its_sample(tmp_path: Path):
    array = image()
    array[4, 1, 1] = np.nan

    assert "NaN, first in sample 4" in refused(written(tmp_path, image=array), IMAGE)


def test_nan_behind_the_first_block_is_found_too(tmp_path: Path):
    array = np.zeros((3 << 20, 1), np.float32)
    array[(3 << 20) - 1] = np.nan

    assert f"sample {(3 << 20) - 1}" in refused(written(tmp_path, image=array))


def test_infinities_are_a_finding(tmp_path: Path):
    array = image()
    array[0, 0, 0] = -np.inf

    (finding,) = read_data(written(tmp_path, image=array), [IMAGE]).findings

    assert finding.rule == "data-holds-infinity"


def test_no_samples_are_refused(tmp_path: Path):
    assert "no samples" in refused(written(tmp_path, image=image(0)), IMAGE)


def test_differing_sample_counts_are_refused(tmp_path: Path):
    assert "'a' 3, 'b' 4" in refused(written(tmp_path, a=np.zeros(3), b=np.zeros(4)))


def test_a_scalar_and_empty_samples_are_refused(tmp_path: Path):
    assert "is a scalar" in refused(written(tmp_path, image=np.array(1.0)))
    assert "are empty" in refused(written(tmp_path, image=np.zeros((10, 0))))


def test_column_order_is_refused_with_what_to_do(tmp_path: Path):
    assert "ascontiguousarray" in refused(written(tmp_path, image=np.asfortranarray(image())), IMAGE)


def test_a_file_that_is_no_archive_or_was_cut_is_refused(tmp_path: Path):
    path = written(tmp_path, image=image())
    content = path.read_bytes()
    for broken in (b"", b"text", content[:50], content[:-10], npy(image())):
        path.write_bytes(broken)
        assert "no complete .npz file" in refused(path)


def test_a_missing_file_is_refused(tmp_path: Path):
    assert "cannot be read" in refused(tmp_path / "none.npz")


def test_damaged_bytes_are_found_by_their_checksum(tmp_path: Path):
    path = written(tmp_path, compressed=False, image=image())
    content = bytearray(path.read_bytes())
    content[content.index(image().tobytes()[:16]) + 8] ^= 0x01
    path.write_bytes(bytes(content))

    assert "no complete .npz file" in refused(path)


def test_entries_that_are_no_arrays_are_refused(tmp_path: Path):
    assert "'evil.txt' is no plain .npy array" in refused(rezipped(tmp_path, b"x", "evil.txt"))
    assert "no readable header" in refused(rezipped(tmp_path, b"not an array"))
    assert "no arrays" in refused(written(tmp_path))


def test_an_array_that_declares_more_than_it_holds_is_refused_without_allocating(tmp_path: Path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 4)})

    assert "declares 17,592,186,044,416 bytes and holds 0" in refused(rezipped(tmp_path, stream.getvalue()))


def test_a_sample_of_a_petabyte_is_refused(tmp_path: Path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (1, 1 << 48)})

    assert "One sample of 'image'" in refused(rezipped(tmp_path, stream.getvalue()))


def test_a_header_with_code_is_not_evaluated(tmp_path: Path):
    body = b"{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').getpid(),)}\n"
    content = b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body

    assert "no readable header" in refused(rezipped(tmp_path, content))


def test_a_directory_that_lies_about_the_size_is_found_out(tmp_path: Path):
    content = npy(np.zeros((1 << 20, 4), np.float32))
    path = rezipped(tmp_path, content)
    lying = path.read_bytes().replace(len(content).to_bytes(4, "little"), (len(content) - 16).to_bytes(4, "little"))
    path.write_bytes(lying)

    refused(path)


def peak_bytes(path: Path) -> int:
    import tracemalloc

    tracemalloc.start()
    try:
        read_data(path, None)
        for _ in batches(path, batch=2):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compressed", [True, False])
def test_memory_does_not_grow_with_the_number_of_samples(compressed: bool, tmp_path: Path):
    shape = (3, 256, 256)
    few, many = (
        peak_bytes(written(tmp_path, compressed=compressed, image=np.ones((samples, *shape), np.float32)))
        for samples in (16, 256)
    )

    assert many < few * 1.1
    assert many < 256 * 3 * 256 * 256 * 4 / 10


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "bfloat16", "float8e4m3fn", "float64", "int64", "int32", "uint8", "int8", "bool"]
)
def test_random_feeds_have_the_dtype_and_shape_and_are_repeatable(dtype: str):
    spec = TensorSpec(name="x", dtype=dtype, shape=("batch", 3))

    first, again = (random_feeds([spec], {})["x"] for _ in range(2))
    shaped = random_feeds([spec], {"x": (5, 3)}, seed=1)["x"]

    assert first.shape == (1, 3)
    assert shaped.shape == (5, 3)
    assert first.dtype.name == dtype.replace("e4m3fn", "_e4m3fn")
    np.testing.assert_array_equal(first, again)


def test_text_cannot_be_drawn():
    with pytest.raises(InvalidData, match="string"):
        random_feeds([TensorSpec(name="x", dtype="string", shape=(1,))], {})
