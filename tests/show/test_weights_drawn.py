"""The drawings of notebooks 04 and 06. pytest tests/show/test_weights_drawn.py"""

from ftlab.methods.nf4 import nf4_levels
from ftlab.show import four_bits, low_rank, png


def test_a_lora_is_drawn_with_its_sizes() -> None:
    figure = low_rank(128, 512, 4)
    assert "512 x 128, 65,536 weights" in figure.alt and "2,560 trained" in figure.alt
    assert any("3.91 % as many" in text.get_text() for axes in figure.axes for text in axes.texts)
    assert png(figure)[:4] == b"\x89PNG"


def test_four_bits_are_the_nearest_codes_and_the_way_back() -> None:
    levels = nf4_levels().tolist()
    figure = four_bits([-0.02, 0.0, 0.01], 0.02, levels)
    assert "codes 0, 7, 12" in figure.alt and "the first weight is -0.0200" in figure.alt
    assert any("0000 0111" in text.get_text() for text in figure.texts)
