"""What a trained network loses when one layer is reset (Zhang, Bengio and Singer 2022)."""
