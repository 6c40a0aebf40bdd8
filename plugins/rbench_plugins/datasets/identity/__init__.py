"""Which images a dataset has, where its name does not say: asked for by plans, without torch."""
