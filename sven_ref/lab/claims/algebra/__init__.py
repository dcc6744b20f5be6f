"""Claims that hold, or do not, by algebra: identities, put to the test on small problems in float64."""
