"""Methods that find plans fast, without proofs: one file per family."""
