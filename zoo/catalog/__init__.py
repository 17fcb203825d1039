"""The catalog: cards, loading, saving, integrity. The only room that touches ``pretrained/``."""
