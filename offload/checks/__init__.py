"""The rules that a plan has to keep: one function a rule, each from a subject to its violations."""
