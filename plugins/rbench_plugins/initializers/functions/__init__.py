"""The functions of the initializers, which import torch at the top."""
