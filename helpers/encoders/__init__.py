"""Encoders of texts: layers of transformers, classical embeddings, pre-training."""
