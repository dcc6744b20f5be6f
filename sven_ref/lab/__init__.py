"""The laboratory: tasks, baselines, training and demonstrations. It stands on the core, which knows nothing of it."""
