"""The paper's comparisons and ablations again: `reproduce` by its protocols, `studies` one question each."""
