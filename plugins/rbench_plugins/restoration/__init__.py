"""Images restored, or recovered from features, without a training set."""
