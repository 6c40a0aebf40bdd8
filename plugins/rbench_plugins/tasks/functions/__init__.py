"""The functions of the tasks, which import torch at the top."""
