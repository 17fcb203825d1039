"""Evaluation: reconstruction, latent features, anomalies, denoising, sparsity, each with a baseline."""
