"""Training a program on a data set: batches, epochs, validation and history."""
