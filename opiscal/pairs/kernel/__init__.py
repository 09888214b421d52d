"""The counting loops: from tiles of dot products to histograms. The one door to numba."""
