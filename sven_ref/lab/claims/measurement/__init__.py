"""Claims of how it was measured: the data, the selection, the failures, the spread."""
