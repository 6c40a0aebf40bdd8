"""Many runs: planning, locks, workers and executors."""
