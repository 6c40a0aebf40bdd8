"""Records -> tables, pages and pictures: pure, deterministic, and without torch."""
