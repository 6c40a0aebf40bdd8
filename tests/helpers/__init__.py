"""What several tests share: faulty plugins, synthetic records, a browser, small stacks."""
