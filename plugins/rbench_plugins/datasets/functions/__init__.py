"""The functions of the datasets, which import torch at the top."""
