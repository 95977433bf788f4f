"""The starter: a small reward model r(c, x, y) over measured evidence, for all five modalities, on any CPU.

The paper's own shape in small (Omni-Reward, arXiv 2510.23451): the modalities measure (frozen encoders), a criterion is
read as signed weights on named attributes and evidence becomes a score of each (trained), and the reward is their
product. Importing this package loads nothing; `model`, `training` and `perceptual` import torch.
"""
