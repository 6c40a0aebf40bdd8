"""The 15 corruptions of Hendrycks and Dietterich (arXiv 1903.12261) in five severities.

The parameters are those of the published ImageNet-C and CIFAR-10-C. ``imagecorruptions`` 1.1.2
does not run with numpy 2 and today's scipy and scikit-image, and ``albumentations`` parametrizes
its transforms differently, so the 15 are written here on numpy, scipy and Pillow. Images are
arrays (N, H, W, C) float32 in [0, 1] with C 1 or 3; every image has a random generator of its
own, so that it looks the same whatever batch it is in.

Two differences from the published sets remain: the texture of ``frost`` is drawn, with the means
and deviations of the five photographs of frost that the authors used, and ImageNet-C was saved as
JPEG once more.
"""
