"""P1's theory of random CNNs (section 5, appendix A.3) as plain functions on float64 tensors.

Nothing here knows the engine, except that a user's mistake is an ``rbench.UserError``.
"""
