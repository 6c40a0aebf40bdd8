"""What a plugin author writes against, and how plugins are found."""
