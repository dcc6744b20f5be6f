"""Claims of what training shows: losses reached, norms, settings, batches."""
