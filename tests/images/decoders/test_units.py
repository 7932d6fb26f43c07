import pytest

from segcli.images.decoders.units import micrometres


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        (2, "µm", 2),
        (2, "\u03bcm", 2),
        (2, "um", 2),
        (2, "\\u00B5m", 2),
        (2, "micron", 2),
        (2, "Microns", 2),
        ("325", "nm", 0.325),
        (2, "\u212b", 2e-4),
        (2, "\u00c5", 2e-4),
        (2, " mm ", 2000),
        (2, "cm", 20_000),
        (2, "inch", 50_800),
        (2, "Mm", None),
        (2, "pixel", None),
        (2, "", None),
        (0, "µm", None),
        (-1, "µm", None),
        ("nan", "µm", None),
        ("inf", "µm", None),
        ("wide", "µm", None),
    ],
)
def test_lengths(number, unit, expected):
    found = micrometres(number, unit)
    assert found is None if expected is None else found == pytest.approx(expected)
