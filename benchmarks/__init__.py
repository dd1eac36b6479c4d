"""Benchmarks: verigrad beside its peers on the same nets, in one run (`make bench`)."""
