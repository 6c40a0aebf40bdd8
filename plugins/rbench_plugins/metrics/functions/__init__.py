"""The functions of the metrics, which import torch at the top."""
