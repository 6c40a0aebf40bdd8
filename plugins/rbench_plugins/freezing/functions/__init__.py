"""The functions of the freezing rules, which import torch at the top."""
