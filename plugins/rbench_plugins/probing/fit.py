"""Classifiers on given features: ridge regression, logistic regression, nearest neighbors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Standardize(nn.Module):
    """(B, d) -> (B, d), each feature with mean 0 and standard deviation 1 on the training set.

    A feature that does not vary there is only centered, as scikit-learn's StandardScaler does.
    """

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        std, mean = torch.std_mean(features, 0, correction=0)
        constant = std <= 10 * torch.finfo(features.dtype).eps * mean.abs()
        self.register_buffer("mean", mean)
        self.register_buffer("std", torch.where(constant, torch.ones_like(std), std))

    def forward(self, features: Tensor) -> Tensor:
        """Features in the training set's units."""
        return (features - self.get_buffer("mean")) / self.get_buffer("std")


class Linear(nn.Module):
    """(B, d) -> logits (B, classes) by ``weight`` (classes, d) and ``bias`` (classes,)."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, features: Tensor) -> Tensor:
        """Logits."""
        return features @ self.get_buffer("weight").T + self.get_buffer("bias")


class Neighbors(nn.Module):
    """(B, d) -> the share (B, classes) of the ``k`` nearest training features in each class.

    Euclidean distance, which on features of unit length orders as the cosine does. Of classes
    with equally many votes the first wins, as in scikit-learn: each class loses half a vote
    times its index over the number of classes.
    """

    def __init__(self, features: Tensor, labels: Tensor, classes: int, k: int) -> None:
        super().__init__()
        self.k, self.classes = min(k, len(features)), classes
        self.register_buffer("features", features)
        self.register_buffer("labels", labels)

    def forward(self, features: Tensor) -> Tensor:
        """Votes over k."""
        votes = []
        index = torch.arange(self.classes, device=features.device, dtype=features.dtype)
        handicap = index / (2 * self.classes)
        for part in features.split(256):
            distance = torch.cdist(part, self.get_buffer("features"))
            nearest = self.get_buffer("labels")[distance.topk(self.k, largest=False).indices]
            one_hot = nn.functional.one_hot(nearest, self.classes)
            votes.append((one_hot.sum(1) - handicap) / self.k)
        return torch.cat(votes)


class Unit(nn.Module):
    """(B, d) -> (B, d) of length 1."""

    def forward(self, features: Tensor) -> Tensor:
        """Directions."""
        return nn.functional.normalize(features, dim=1)


def ridge(features: Tensor, labels: Tensor, classes: int, alpha: float) -> Linear:
    """Least squares on targets 1 and -1 with penalty ``alpha`` |weight|^2 and a free bias.

    In closed form: (X^T X + alpha I)^-1 X^T Y of centered X and Y, or X^T (X X^T + alpha I)^-1 Y
    where there are fewer images than features. ``features`` (N, d) float64.
    """
    targets = nn.functional.one_hot(labels, classes).to(features.dtype) * 2 - 1
    x_mean, y_mean = features.mean(0), targets.mean(0)
    x, y = features - x_mean, targets - y_mean
    images, width = x.shape
    small = x.T @ x if width <= images else x @ x.T
    small.diagonal().add_(alpha)
    factor = torch.linalg.cholesky(small)
    if width <= images:
        weight = torch.cholesky_solve(x.T @ y, factor)
    else:
        weight = x.T @ torch.cholesky_solve(y, factor)
    return Linear(weight.T.contiguous(), y_mean - x_mean @ weight)


def logistic(features: Tensor, labels: Tensor, classes: int, strength: float) -> Linear:
    """Multinomial logistic regression, scikit-learn's: ``strength`` sum of losses + |weight|^2/2.

    Classes without a training image get the logit -inf's stand-in, the smallest bias minus 100.
    """
    from sklearn.linear_model import LogisticRegression  # slow, and other probes need it not

    model = LogisticRegression(C=strength, max_iter=2000, tol=1e-6)
    model.fit(features.cpu().numpy(), labels.cpu().numpy())
    present = torch.as_tensor(model.classes_, dtype=torch.int64)
    weight = features.new_zeros(classes, features.shape[1])
    coefficients = torch.as_tensor(model.coef_, dtype=features.dtype)
    biases = torch.as_tensor(model.intercept_, dtype=features.dtype)
    if len(present) == 2:  # one row: the second class against the first
        coefficients = torch.cat([-coefficients / 2, coefficients / 2])
        biases = torch.cat([-biases / 2, biases / 2])
    bias = features.new_full((classes,), float(biases.min()) - 100)
    weight[present] = coefficients.to(weight.device)
    bias[present] = biases.to(weight.device)
    return Linear(weight, bias)
