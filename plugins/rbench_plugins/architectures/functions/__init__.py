"""The functions of the architectures, which import torch at the top."""
