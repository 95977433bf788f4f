"""The starter: a small reward model r(c, x, y) over measured evidence, for all five modalities, on any CPU.

The paper's own shape in small (Omni-Reward, arXiv 2510.23451): the modalities measure (frozen), a criterion encoder and
a decoder read the criterion against the measurements (trained), a value head gives the reward (trained). Importing
this package loads nothing; `model`, `training` and `perceptual` import torch.
"""
