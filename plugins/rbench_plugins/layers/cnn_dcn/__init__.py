"""Random CNN plus deconvolution networks (CNN-DCN, P1)."""
