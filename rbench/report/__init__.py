"""Tables, verdicts and figures made from records."""
