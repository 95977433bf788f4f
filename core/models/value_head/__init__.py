"""Reward models with a value head on an omni backbone: r(c, x, y) read from the last token (arXiv 2510.23451, 4.1).

`spec`, `turns` and `backbones` import nothing heavy; the other files are loaded on demand and import torch.
"""
