# A distribution of its own: tests/test_testing.py and CI run its tests where it is installed.
collect_ignore = ["example_plugin"]
