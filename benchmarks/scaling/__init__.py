"""How a step becomes faster on two ranks, beside threads and PyTorch's DDP: `make bench-scale`."""
