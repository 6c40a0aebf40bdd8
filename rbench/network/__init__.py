"""From a resolved run to a network: built, drawn, frozen, fingerprinted."""
