"""The functions of the freezing, which import torch at the top."""
