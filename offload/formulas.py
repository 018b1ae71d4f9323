"""Formulas of the field that a scenario or a user needs, each with its source."""

from __future__ import annotations

import math

from offload.checked import above_zero, not_negative

__all__ = ["path_gain", "shannon_rate", "thermal_noise"]


def shannon_rate(bandwidth: float, power: float, gain: float, noise: float) -> float:
    """Rate of a wireless link: ``B log2(1 + P h / N0) / 8``.

    Parameters
    ----------
    bandwidth
        B, hertz.
    power
        P, watts that are sent.
    gain
        h, the part of them that arrives; :func:`path_gain`.
    noise
        N0, watts over the whole band (not watts a hertz); interference may be added to it.

    Returns
    -------
    float
        Bytes a second. B = 5 MHz, P = 0.1 W, h = 50^-4 and N0 = 1e-13 W give 86.4386 Mb/s.

    Raises
    ------
    OffloadError
        For numbers out of range.

    Notes
    -----
    Shannon 1948, theorem 17; X. Chen, L. Jiao, W. Li, X. Fu, Efficient multi-user computation
    offloading for mobile-edge cloud computing, IEEE/ACM Transactions on Networking 24(5), 2016,
    equation 1 (without interference). A byte then takes P / rate joules of the sender.
    """
    above_zero(bandwidth=bandwidth, noise=noise)
    not_negative(power=power, gain=gain)
    return bandwidth * math.log2(1 + power * gain / noise) / 8


def path_gain(metres: float, exponent: float = 4.0) -> float:
    """The part of the power that arrives over a distance: ``d ** -exponent``.

    Chen et al. 2016, numerical results (exponent 4). Nearer than a metre counts as a metre.
    """
    not_negative(metres=metres)
    return float(max(1.0, metres) ** -exponent)


def thermal_noise(bandwidth: float, figure: float = 0.0) -> float:
    """Thermal noise over a band in watts: k T B at 290 K, and a receiver's noise figure in dB."""
    above_zero(bandwidth=bandwidth)
    return 1.380649e-23 * 290.0 * bandwidth * 10 ** (figure / 10)
