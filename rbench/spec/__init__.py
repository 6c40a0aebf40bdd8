"""What can be asked for: runs, suites, registered recipes, and how they are resolved."""
