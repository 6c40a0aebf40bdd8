"""One run: data, training, prediction, checkpoints, preemption, the record."""
