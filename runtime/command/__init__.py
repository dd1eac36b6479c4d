"""The command line `verigrad`."""
