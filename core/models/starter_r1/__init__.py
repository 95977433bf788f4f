"""starter-r1: a small generative judge that reads the starter's evidence sheet and writes the record of Omni-RRM.

`brief` is what it is given, `records` what it learns to write, `judging` what it answers; training is `sft`, then `grpo`.
"""
