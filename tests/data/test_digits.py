"""The digits that ship with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import verigrad as vg
from verigrad.runtime.data import digits as module
from verigrad.runtime.data.parts import stratified
from verigrad.runtime.data.source import load_data


def test_the_digits_are_all_there_and_split_for_good() -> None:
    train, test = vg.digits()
    assert train.x.shape == (1438, 64) and test.x.shape == (359, 64)
    assert train.x.dtype == np.float32 and train.y.dtype == np.int64
    # The sum of all pixels and the counts of the classes, as the original has them.
    assert train.x.sum() + test.x.sum() == 561_718
    counts = np.bincount(train.y) + np.bincount(test.y)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert test.y[:10].tolist() == [0, 8, 2, 6, 9, 8, 2, 8, 1, 5]
    again = vg.digits()
    assert np.array_equal(again.test.x, test.x) and np.array_equal(again.test.y, test.y)


def test_the_parts_have_the_same_share_of_every_class() -> None:
    train, test = vg.digits()
    share = np.bincount(test.y) / (np.bincount(test.y) + np.bincount(train.y))
    assert np.abs(share - 0.2).max() < 0.004


def test_no_image_is_in_two_parts() -> None:
    data = load_data("digits")
    parts = [data.train, data.validation, data.test]
    images = [{row.tobytes() for row in part.x} for part in parts]
    assert sum(map(len, images)) == 1797
    assert len(set.union(*images)) == 1797


def test_the_licence_is_beside_the_data() -> None:
    text = files("verigrad.runtime.data").joinpath("digits.LICENSE").read_text()
    for words in ("Alpaydin", "Kaynak", "10.24432/C50P49", "CC BY 4.0"):
        assert words in text


def test_a_stratified_part_is_a_function_of_its_name_and_takes_no_class_whole() -> None:
    y = np.array([0] * 10 + [1] * 3 + [2])
    first, second = stratified(y, 0.3, "part")
    assert np.bincount(y[second], minlength=3).tolist() == [3, 1, 0]
    assert sorted([*first, *second]) == list(range(14))
    assert stratified(y, 0.3, "part")[1].tolist() == second.tolist()
    others = {tuple(stratified(y, 0.3, f"part{i}")[1].tolist()) for i in range(20)}
    assert len(others) > 10
    assert np.bincount(y[stratified(y, 0.99, "part")[1]], minlength=3).tolist() == [9, 2, 0]


def test_a_flipped_bit_of_the_installed_file_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = files(module.__package__).joinpath("digits.npz").read_bytes()
    monkeypatch.setattr("importlib.resources.files", lambda package: tmp_path)
    path = tmp_path / "digits.npz"
    path.write_bytes(raw)
    assert len(vg.digits().train.x) == 1438
    for place in (0, 40, len(raw) // 2, len(raw) - 400):
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
        with pytest.raises(vg.RunError, match=r"digits\.npz"):
            vg.digits()
