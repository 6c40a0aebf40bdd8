"""Adversarial attacks on classifiers of [0, 1] images: options, engines, and one evaluation loop.

All attacks bound the largest change of a pixel (L-infinity). The classifier normalizes its input
itself, so epsilon is in pixel units; it is in eval mode, and everything runs in float32.
"""
