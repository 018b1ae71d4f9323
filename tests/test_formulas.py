"""The formulas against their published figures."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from offload.errors import OffloadError
from offload.formulas import path_gain, shannon_rate, thermal_noise


def test_uplink_of_chen_et_al_2016() -> None:
    """5 MHz, 0.1 W, 1e-13 W of noise, 50 m: 86.4386 Mb/s; 5000 KB in 0.462756 s and 0.0462756 J."""
    rate = shannon_rate(5e6, 0.1, path_gain(50), 1e-13)
    assert 8 * rate == pytest.approx(86.4386e6, rel=1e-6)
    assert 5e6 / rate == pytest.approx(0.462756, rel=1e-6)
    assert 0.1 * 5e6 / rate == pytest.approx(0.0462756, rel=1e-6)


def test_a_signal_as_strong_as_the_noise_carries_a_bit_a_hertz() -> None:
    assert shannon_rate(8e6, 1.0, 1e-12, 1e-12) == 1e6
    assert shannon_rate(8e6, 0.0, 1.0, 1e-12) == 0


def test_path_gain_falls_with_the_exponent_and_never_exceeds_one() -> None:
    assert path_gain(10, 2) == pytest.approx(0.01)
    assert path_gain(10) == pytest.approx(1e-4)
    assert path_gain(0.1) == path_gain(0) == 1.0


def test_thermal_noise_is_minus_174_dbm_a_hertz() -> None:
    assert 10 * math.log10(thermal_noise(1.0) * 1e3) == pytest.approx(-174, abs=0.05)
    assert thermal_noise(20e6, 10) == pytest.approx(10 * 20e6 * thermal_noise(1.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shannon_rate(0, 0.1, 1, 1), "bandwidth: must be > 0 and finite, got 0"),
        (lambda: shannon_rate(1, -0.1, 1, 1), "power: must be >= 0 and finite, got -0.1"),
        (lambda: shannon_rate(1, 0.1, math.nan, 1), "gain: must be >= 0 and finite, got nan"),
        (lambda: shannon_rate(1, 0.1, 1, 0), "noise: must be > 0 and finite, got 0"),
        (lambda: path_gain(-1), "metres: must be >= 0 and finite, got -1"),
        (lambda: thermal_noise(-1), "bandwidth: must be > 0 and finite, got -1"),
    ],
)
def test_numbers_out_of_range_are_errors(call: Callable[[], float], message: str) -> None:
    with pytest.raises(OffloadError, match=message):
        call()
