"""Stylization in the feature space of a network, random or not (P1 section 4.4, appendix A.4).

Pairs of a content and a style image are the batch: tensors are (P, N, h, w), P pairs.
"""
