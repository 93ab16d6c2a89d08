"""`python -m unittest discover -s models/train -p 'test_reader.py'`"""

import unittest

import numpy as np

from plate_formats import CANADA, JURISDICTIONS, MEXICO, UNITED_STATES
from reader_data import EDGE, REAL_QUAD, columns, homography
from reader_net import COLUMNS, HEIGHT, WIDTH, beam, edits, fold, greedy


class Columns(unittest.TestCase):
    """What each output column is told to say."""

    def test_alike_neighbours_are_parted_by_blank(self):
        labels = columns(np.array([[10.0, 11.2], [11.2, 12.4]]), np.array([2, 2]), np.array([0, 0]))
        self.assertEqual(greedy([k if k < EDGE else 0 for k in labels]), "11")

    def test_lower_line_is_in_the_second_half(self):
        labels = columns(np.array([[4.0, 8.0], [4.0, 8.0]]), np.array([11, 12]), np.array([0, 1]))
        self.assertEqual(greedy([k if k < EDGE else 0 for k in labels]), "AB")
        self.assertTrue((labels[:COLUMNS] != 12).all() and (labels[COLUMNS:] == 12).any())

    def test_edges_may_say_their_character(self):
        labels = columns(np.array([[2.0, 12.0]]), np.array([11]), np.array([0]))
        self.assertIn(EDGE + 11, labels)


class Decoding(unittest.TestCase):
    def test_beam_sums_over_layouts(self):
        # greedy path: blank, blank; but "A" has three layouts of together 0.64
        column = np.zeros((2, 37))
        column[:, 0], column[:, 11] = 0.6, 0.4
        text, probability = beam(column)
        self.assertEqual(text, "A")
        self.assertAlmostEqual(probability, 0.64)

    def test_folding_and_edits(self):
        self.assertEqual(fold("OQI7"), "0017")
        self.assertEqual(edits("ABC123", "ABD23"), 2)


class Geometry(unittest.TestCase):
    def test_untilted_quad_leaves_the_margins(self):
        warp = homography(np.random.default_rng(0), REAL_QUAD, 2.0, 0.0, 0.0, False)
        corner = warp @ np.array([*REAL_QUAD[0], 1.0])
        self.assertTrue(np.allclose(corner[:2] / corner[2], [WIDTH * 0.06 / 1.12, HEIGHT * 0.10 / 1.20], atol=1e-3))

    def test_jurisdictions_are_complete(self):
        self.assertEqual((len(UNITED_STATES), len(MEXICO), len(CANADA), len(set(JURISDICTIONS))), (51, 32, 13, 97))


if __name__ == "__main__":
    unittest.main()
