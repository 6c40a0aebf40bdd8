"""Linear-combination blocks (LC-blocks, P2 section 3.3) and their executions."""
