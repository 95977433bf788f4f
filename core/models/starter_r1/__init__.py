"""starter-r1: a small generative judge that reads the starter's evidence sheet and writes the record of Omni-RRM.

`brief` is what it is given, `records` what it learns to write, `judging` what it answers; it is trained by `sft`, then
`grpo`, and measured by `examination`.
"""
