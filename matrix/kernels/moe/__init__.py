"""The BF16 mixture-of-experts layer: what it should give, how to compute it, and which path a release offers.

`activations`, `routings` and `profiles` are the axes; a `problem` is one layer; `inputs` and `oracle` make
the question and the right answer, `compare` judges; `backends` compute, `layout` prepares their weights.
"""
